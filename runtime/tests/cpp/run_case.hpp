// Runs a case in an engine.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "call_case.hpp"
#include "engines.hpp"

namespace elman_test {

template <class Real>
class Run {
public:
    // Forwards, then backwards; `kept` false asks for outputs and final states alone, forwards.
    Run(const Case& c, const elman::Engine<Real>& engine, int threads, bool kept = true)
        : plan_(*c.plan), kept_(kept) {
        for (const auto& [name, values] : c.given) {
            auto& to = in_[name] = Guarded<Real>(static_cast<Index>(values.size()));
            for (std::size_t i = 0; i < values.size(); ++i) to.data()[i] = static_cast<Real>(values[i]);
        }
        const auto before = in_;
        for (const auto& [name, shape] : c.written()) {
            auto& to = out_[name] = Guarded<Real>(shape.count());
            for (Index i = 0; i < shape.count(); ++i) to.data()[i] = std::numeric_limits<Real>::quiet_NaN();
        }
        fill(c, threads);
        good_ = engine.forward(plan_, call_);
        if (kept) {
            fill_back(c);
            good_ = good_ && engine.backward(plan_, back_);
        }
        for (const auto& [name, values] : before)
            if (values.size() && std::memcmp(values.data(), in_[name].data(), values.size() * sizeof(Real)) != 0)
                trouble_ = name + " was written to";
        for (const auto* arrays : {&in_, &out_})
            for (const auto& [name, values] : *arrays)
                if (!values.intact()) trouble_ = "memory around " + name + " was written to";
        if (!good_) trouble_ = "memory ran out";
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    const std::string& trouble() const { return trouble_; }
    const Guarded<Real>& out(const std::string& name) const { return out_.at(name); }

private:
    // Null where there is none, or nothing in it.
    Real* at(std::map<std::string, Guarded<Real>>& arrays, const std::string& name) {
        const auto found = arrays.find(name);
        return found == arrays.end() || !found->second.size() ? nullptr : found->second.data();
    }
    Real* given(const std::string& name) { return at(in_, name); }
    Real* wanted(const std::string& name) { return at(out_, name); }
    Real* maybe(const std::string& name) { return kept_ ? wanted(name) : nullptr; }

    void fill(const Case& c, int threads) {
        call_.steps = c.steps;
        call_.rows = c.rows;
        call_.units = c.units;
        call_.first = c.first;
        call_.reverse = c.options.reverse;
        call_.threads = threads;
        call_.x = given("x");
        call_.weight_hh = given("weight_hh");
        call_.bias_hh = given("bias_hh");
        call_.weight_hr = given("weight_hr");
        call_.lengths = c.options.lengths ? c.lengths.data() : nullptr;
        call_.reset = c.options.reset ? c.reset.data() : nullptr;
        call_.state_mask = given("mask");
        call_.y = wanted("y");
        call_.v = maybe("v");
        call_.w = maybe("w");
        for (Index k = 0; k < plan_.inputs; ++k) call_.inputs.push_back({given(name_of("input", k)), c.options.narrow});
        for (Index k = 0; k < plan_.params; ++k) call_.params.push_back(given(name_of("param", k)));
        for (Index k = 0; k < plan_.states; ++k) {
            call_.state.push_back(given(name_of("state", k)));
            if (c.options.reset) call_.start.push_back(given(name_of("start", k)));
            if (c.options.zoneout) call_.keep.push_back({static_cast<Real>(c.share[static_cast<std::size_t>(k)]), given(name_of("keep", k))});
            // Without values read out the first state is the output.
            const bool is_output = k == 0 && plan_.narrow_output.empty();
            call_.states.push_back(is_output ? wanted(name_of("states", k)) : maybe(name_of("states", k)));
            if (kept_) call_.fresh.push_back(wanted(name_of("fresh", k)));
            call_.final.push_back(wanted(name_of("final", k)));
        }
    }

    void fill_back(const Case& c) {
        back_.forward = &call_;
        back_.clip = static_cast<Real>(c.clip);
        back_.dy = given("dy");
        back_.dx = wanted("dx");
        back_.dprojected = wanted("dprojected");
        for (Index k = 0; k < plan_.states; ++k) {
            back_.dfinal.push_back(given(name_of("dfinal", k)));
            back_.dstates.push_back(given(name_of("dstates", k)));
            back_.dstate.push_back(wanted(name_of("dstate", k)));
            if (call_.reset) back_.dstart.push_back(wanted(name_of("dstart", k)));
            back_.dh.push_back(wanted(name_of("dh", k)));
            back_.before.push_back(wanted(name_of("before", k)));
        }
        for (Index k = 0; k < plan_.inputs; ++k) back_.dinputs.push_back(wanted(name_of("dinput", k)));
        for (Index k = 0; k < plan_.params; ++k) back_.dparams.push_back(wanted(name_of("dparam", k)));
    }

    const Plan& plan_;
    bool kept_, good_ = false;
    std::string trouble_;
    std::map<std::string, Guarded<Real>> in_, out_;
    elman::Call<Real> call_{};
    elman::BackwardCall<Real> back_{};
};

}  // namespace elman_test
