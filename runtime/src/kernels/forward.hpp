// All steps of some rows, forwards.
#pragma once

#include "kernels/job.hpp"
#include "kernels/own_x.hpp"

namespace elman::ELMAN_SET {

template <class V>
class ForwardJob : public Job<V> {
    using Base = Job<V>;
    using Real = typename V::Real;
    using Base::call, Base::plan, Base::shared, Base::n, Base::units, Base::u0, Base::ld_;
    using Base::places_, Base::global_, Base::arena_, Base::exchange_, Base::matrices;

public:
    ForwardJob(const Shared<V>& shared, const Matrices<V>& matrices, Share share, typename Exchange<V>::Member* exchange = nullptr)
        : Base(shared, matrices, std::move(share), exchange),
          ldu_(leading<V>(std::max<Index>(1, this->count(Space::u)) * matrices.each())) {
        update_ = shared.stages(plan.update, units);
        read_ = shared.stages(plan.read, units);
        const auto states = static_cast<std::size_t>(plan.states);
        for (std::size_t k = 0; k < states; ++k) {
            now_.push_back(this->ask_rows());
            next_.push_back(this->ask_rows());
            made_.push_back(differs(k) ? this->ask_rows() : next_[k]);
        }
        u_ = arena_.ask(n * ldu_);
        vector_ = this->ask_rows();
        if (!call.x) own_x_ = std::make_unique<OwnX<V>>(shared, n, units, u0);
        own_.assign(plan.slots.size(), 0);
        for (std::size_t i = 0; i < plan.slots.size(); ++i)
            if (is_own(plan.slots[i])) own_[i] = this->ask_rows();
    }

    // False where memory runs out.
    bool prepare() { return arena_.allocate() && (!own_x_ || own_x_->allocate()); }

    void run() {
        place();
        for (Index step = 0; step < call.steps; ++step)
            this->step(call.reverse ? call.steps - 1 - step : step);
        for (Index r = 0; r < n; ++r)
            if (this->length(r) == 0)
                for (std::size_t k = 0; k < now_.size(); ++k)
                    this->copy(this->of_state(call.final[k], k, r),
                               this->of_state(call.state[k], k, r), this->state_width(k));
        end_streams();
    }

private:
    // Whether what `update` makes of state k is not yet the new state.
    bool differs(std::size_t k) const {
        return (k == 0 && call.weight_hr) || (!call.keep.empty() && keeps(k));
    }

    bool keeps(std::size_t k) const { return call.keep[k].data || call.keep[k].share != Real(1); }

    // Registers, and what the caller does not want to have.
    bool is_own(const Slot& s) const {
        return s.space == Space::r || s.space == Space::q || (s.space == Space::v && !call.v) ||
               (s.space == Space::w && !call.w) ||
               (s.space == Space::input && call.inputs[s.index].narrow);
    }

    void place() {
        const Index gates = width_of_x(plan, call);
        Index outputs = 0;
        std::vector<Index> at;
        for (const auto narrow : plan.narrow_output) {
            at.push_back(outputs);
            outputs += narrow ? 1 : call.units;
        }
        for (std::size_t i = 0; i < plan.slots.size(); ++i) {
            const Slot& s = plan.slots[i];
            const Index k = s.index;
            if (s.space == Space::s || s.space == Space::fresh || s.space == Space::final || (s.space == Space::x && own_x_) ||
                (s.space == Space::input && call.inputs[k].narrow))
                turning_.push_back(i);
            if (is_own(s)) {
                this->local(i, arena_.at(own_[i]), s.narrow ? 1 : ld_);
                continue;
            }
            switch (s.space) {
                case Space::x:
                    if (own_x_) this->local(i, nullptr, own_x_->width());
                    else this->over_time(i, const_cast<Real*>(call.x) + k * call.units + u0, gates);
                    break;
                case Space::input:
                    this->over_time(i, const_cast<Real*>(call.inputs[k].data) + u0, call.units);
                    break;
                case Space::u:
                    this->local(i, arena_.at(u_) + k * matrices.each(), ldu_);
                    break;
                case Space::fresh:
                    this->local(i, arena_.at(made_[k]), ld_);
                    break;
                case Space::v: {
                    const Index stride = this->count(Space::v) * call.units;
                    this->over_time(i, call.v + k * call.units + u0, stride);
                    break;
                }
                case Space::w:
                    this->over_time(i, call.w + k, this->count(Space::w));
                    break;
                case Space::y:
                    this->over_time(i, call.y + at[k] + (s.narrow ? 0 : u0), outputs);
                    break;
                default:
                    break;
            }
        }
        outputs_ = outputs;
    }

    void step(Index t) {
        const Index rows = this->active(t);
        this->move_to(t);
        begin(t, rows);
        for (const Stage<Real>& stage : update_) {
            Base::run(stage.lines, rows);
            if (stage.product >= 0) project(plan.products[stage.product], stage.product, t, rows);
        }
        finish(t, rows);
        for (const Stage<Real>& stage : read_) Base::run(stage.lines, rows);
        if (rows < n) clear_from(t, rows);
        now_.swap(next_);
        made_swap();
    }

    void made_swap() {
        for (std::size_t k = 0; k < made_.size(); ++k)
            if (!differs(k)) made_[k] = next_[k];
    }

    // Sets what a step starts from.
    void begin(Index t, Index rows) {
        if (shared.ahead) shared.ahead->need(t);
        if (own_x_)
            own_x_->need(t, [this](Index step) { return this->active(step); },
                         [this](Index step, Index r) { return this->at(step, r); });
        for (const std::size_t i : turning_) {
            const Slot& s = plan.slots[i];
            if (s.space == Space::x) places_[i].base = own_x_->at(t, 0) + s.index * units;
            if (s.space == Space::s) places_[i] = {arena_.at(now_[s.index]), ld_, this->local_.data()};
            if (s.space == Space::fresh) places_[i].base = arena_.at(made_[s.index]);
            if (s.space == Space::final) places_[i] = {arena_.at(next_[s.index]), ld_, this->local_.data()};
            if (s.space == Space::input && call.inputs[s.index].narrow)
                for (Index r = 0; r < rows; ++r) fill(i, r, call.inputs[s.index].data[this->at(t, r)]);
        }
        for (Index r = 0; r < rows; ++r) {
            const bool anew = this->starts_anew(t, r);
            if (!anew && t != this->first_step(r)) continue;
            for (std::size_t k = 0; k < now_.size(); ++k)
                this->copy(this->row(now_[k], r),
                           this->of_state((anew ? call.start : call.state)[k], k, r),
                           this->state_width(k));
        }
    }

    void fill(std::size_t slot, Index r, Real value) {
        Real* out = places_[slot].at(r);
        for (Index i = 0; i < units; ++i) out[i] = value;
    }

    void project(const Product& product, int k, Index t, Index rows) {
        const Rows<Real> in = vector_of(product, rows);
        const bool adds = matrices.adds[k];
        for (Index r = 0; adds && r < rows; ++r)
            this->adds_[r] = own_x_ ? own_x_->at(t, r) : call.x + this->at(t, r) * width_of_x(plan, call) + u0;
        multiply<V>(in, rows, this->alternating(matrices.of[k], t),
                    {arena_.at(u_) + product.first_u * matrices.each(), ldu_, matrices.bias[k],
                     adds ? this->adds_.data() : nullptr, matrices.added[k].data()});
    }

    // What U multiplies: all units of it, this thread's and those of others.
    Rows<Real> vector_of(const Product& product, Index rows) {
        static constexpr Index none[1] = {0};
        const Place<Real>& place = places_[product.vector];
        const Slot& slot = plan.slots[product.vector];
        const Index here = shared.width(product.vector, units), depth = shared.width(product.vector, call.units);
        const bool masked = call.state_mask && slot.space == Space::s && slot.index == 0;
        if (!exchange_ && !masked && place.row == this->local_.data()) return {place.base, place.stride, none, 1, depth};
        Real* to = exchange_ ? exchange_->next() : arena_.at(vector_);
        const Index ld = exchange_ ? exchange_->ld : ld_;
        for (Index r = 0; r < rows; ++r) {
            const Real *from = place.at(r), *mask = masked ? call.state_mask + global_[r] * call.first + u0 : nullptr;
            for (Index i = 0; i < here; ++i) to[r * ld + u0 + i] = mask ? from[i] * mask[i] : from[i];
        }
        if (exchange_) exchange_->wait();
        return {to, ld, none, 1, depth};
    }

    // Projection V, zoneout, and storing.
    void finish(Index t, Index rows) {
        static constexpr Index none[1] = {0};
        for (std::size_t k = 0; k < now_.size(); ++k) {
            if (!call.fresh.empty() && call.fresh[k])
                for (Index r = 0; r < rows; ++r)
                    this->copy(call.fresh[k] + this->at(t, r) * call.units + u0,
                               this->row(made_[k], r), units);
            const bool projected = k == 0 && call.weight_hr;
            if (projected)
                multiply<V>({arena_.at(made_[k]), ld_, none, 1, units}, rows,
                            matrices.projection, {arena_.at(next_[k]), ld_, nullptr, nullptr, nullptr});
            if (!call.keep.empty() && keeps(k))
                for (Index r = 0; r < rows; ++r) zone_out(t, k, r, projected ? next_[k] : made_[k]);
        }
        for (Index r = 0; r < rows; ++r)
            for (std::size_t k = 0; k < now_.size(); ++k) {
                const Real* value = this->row(next_[k], r);
                if (call.states[k])
                    this->put(this->of_states(call.states[k], k, t, r), value, this->state_width(k));
                if (t == this->last_step(r))
                    this->copy(this->of_state(call.final[k], k, r), value, this->state_width(k));
            }
    }

    void zone_out(Index t, std::size_t k, Index r, std::size_t made) {
        const Real *old = this->row(now_[k], r), *fresh = this->row(made, r);
        const Keep<Real>& keep = call.keep[k];
        const Real* share = keep.data ? this->of_states(keep.data, k, t, r) : nullptr;
        Real* to = this->row(next_[k], r);
        for (Index i = 0; i < this->state_width(k); ++i)
            to[i] = old[i] + (share ? share[i] : keep.share) * (fresh[i] - old[i]);
    }

    // Beyond their lengths, what rows put out is zero.
    void clear_from(Index t, Index rows) {
        const Index v = this->count(Space::v) * call.units;
        const Index w = this->count(Space::w);
        for (Index r = rows; r < n; ++r) {
            const Index at = this->at(t, r);
            for (std::size_t k = 0; k < now_.size(); ++k) {
                if (call.states[k]) this->clear(this->of_states(call.states[k], k, t, r), this->state_width(k));
                if (!call.fresh.empty() && call.fresh[k])
                    this->clear(call.fresh[k] + at * call.units + u0, units);
            }
            if (units != call.units) {
                if (call.v)
                    for (Index j = 0; j < v; j += call.units) this->clear(call.v + at * v + j + u0, units);
                for (std::size_t i = 0; i < plan.slots.size(); ++i)
                    if (plan.slots[i].space == Space::y) this->clear(places_[i].at(r), units);
                continue;
            }
            if (call.v) this->clear(call.v + at * v, v);
            if (call.w) this->clear(call.w + at * w, w);
            if (outputs_) this->clear(call.y + at * outputs_, outputs_);
        }
    }

    Stages<Real> update_, read_;
    std::vector<std::size_t> now_, next_, made_, own_;  // made: what update makes, now next without V
    std::vector<std::size_t> turning_;                  // slots that each step sets anew
    std::size_t u_, vector_;
    Index ldu_;  // from a row of u to the next
    Index outputs_ = 0;
    std::unique_ptr<OwnX<V>> own_x_;  // where x is not given
};

}  // namespace elman::ELMAN_SET
