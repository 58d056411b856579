// All steps of some rows, backwards.
#pragma once

#include <cmath>

#include "kernels/job.hpp"

namespace elman::ELMAN_SET {

template <class V>
class BackwardJob : public Job<V> {
    using Base = Job<V>;
    using Real = typename V::Real;
    using Base::call, Base::plan, Base::shared, Base::n, Base::units, Base::u0, Base::ld_;
    using Base::places_, Base::global_, Base::arena_, Base::exchange_, Base::matrices;

public:
    BackwardJob(const Shared<V>& shared, const Matrices<V>& matrices, const BackwardCall<Real>& back, Share share,
                typename Exchange<V>::Member* exchange = nullptr)
        : Base(shared, matrices, std::move(share), exchange), back_(back) {
        update_ = shared.stages(plan.back_update, units);
        read_ = shared.stages(plan.back_read, units);
        for (Index k = 0; k < plan.states; ++k) {
            s_.push_back(this->ask_rows());
            carry_.push_back(this->ask_rows());
            dnew_.push_back(this->ask_rows());
            past_.push_back(this->ask_rows());
        }
        // Not where many rows lie a power of two apart: they would share the same lines of the cache.
        apart_ = back.apart ? back.apart : plan.columns * call.units;
        const Index bytes = apart_ * this->row_ * Index{sizeof(Real)};
        in_place_ = !shared.streams && !call.lengths && (n <= 4 || bytes % 1024 != 0);
        column_ = in_place_ ? call.units : ld_;
        dx_ = this->ask_rows(in_place_ ? 0 : std::max<Index>(1, plan.columns));
        sums_ = arena_.ask(std::max<Index>(1, groups()) * units);
        column_sums_ = arena_.ask(back_.dsums ? 2 * plan.columns * units : 0);
        zero_ = arena_.ask(ld_);
        own_.assign(plan.slots.size(), 0);
        for (std::size_t i = 0; i < plan.slots.size(); ++i)
            if (is_own(plan.slots[i])) own_[i] = this->ask_rows();
        note_reads();
        s_in_place_ = !call.reset && !(call.lengths && call.reverse);
    }

    // False where memory runs out.
    bool prepare() { return arena_.allocate(); }

    void run() {
        place();
        this->clear(arena_.at(sums_), std::max<Index>(1, groups()) * units);
        if (back_.dsums) this->clear(arena_.at(column_sums_), 2 * plan.columns * units);
        for (Index r = 0; r < n; ++r) begin_row(r);
        for (Index step = 0; step < call.steps; ++step) {
            this->step(call.reverse ? step : call.steps - 1 - step);
            if (back_.dsums && (step % kApart == kApart - 1 || step + 1 == call.steps)) gather();
        }
        end_streams();
    }

    // Adds this job's share to sums (count of g, H), and to those of the columns.
    void add_sums(Real* to) const {
        add_part(to, arena_.at(sums_), groups());
        if (back_.dsums) add_part(back_.dsums, arena_.at(column_sums_) + plan.columns * units, plan.columns);
    }

private:
    static constexpr Index kApart = 32;  // steps whose gradients are summed apart: chains are short

    Index groups() const { return this->count(Space::g); }

    void add_part(Real* to, const Real* from, Index count) const {
        for (Index k = 0; k < count; ++k) add(to + k * call.units + u0, from + k * units, units);
    }

    // What some steps added goes to the sums of all.
    void gather() {
        const Index count = plan.columns * units;
        Real* const some = arena_.at(column_sums_);
        add(some + count, some, count);
        this->clear(some, count);
    }

    // What a step must do of its own, looked for once and not at each row of each step.
    void note_reads() {
        reads_s_.assign(s_.size(), false);
        for (const Section* section : {&plan.back_read, &plan.back_update})
            for (const Instruction& line : *section)
                for (int i = 0; i < arity(line.op); ++i) {
                    const Slot& slot = plan.slots[line.of[i]];
                    if (slot.space == Space::s) reads_s_[static_cast<std::size_t>(slot.index)] = true;
                }
        for (std::size_t i = 0; i < plan.slots.size(); ++i) {
            const Slot& slot = plan.slots[i];
            if ((slot.space == Space::dy && slot.narrow) ||
                (slot.space == Space::input && call.inputs[slot.index].narrow))
                narrow_.push_back(i);
            if (slot.space == Space::g || slot.space == Space::ds) results_.push_back(i);
            if (slot.space == Space::s && reads_s_[static_cast<std::size_t>(slot.index)]) s_slots_.push_back(i);
        }
        for (std::size_t k = 0; k < s_.size(); ++k) carries_ds_.push_back(may_carry_ds(static_cast<std::int32_t>(k)));
    }

    // Whether a state's new gradient may be made where the old one is: that is read no more by then.
    bool may_carry_ds(std::int32_t k) const {
        if (!carries_dnew(static_cast<std::size_t>(k))) return false;
        const auto is = [&](std::int32_t slot, Space space) { return plan.slots[slot].space == space && plan.slots[slot].index == k; };
        bool made = false;
        for (const Instruction& line : plan.back_update) {
            for (int i = 0; i < arity(line.op); ++i)
                if (made && is(line.of[i], Space::dnew)) return false;
            if (line.op != Op::unproject) made = made || is(line.to, Space::ds);
        }
        return made;
    }

    // Whether all of a state's gradient goes to what `update` made of it.
    bool passes_whole(std::size_t k) const {
        return call.keep.empty() || (!call.keep[k].data && call.keep[k].share == Real(1));
    }

    // Whether what `update` made of a state has just the gradient that is carried.
    bool carries_dnew(std::size_t k) const { return passes_whole(k) && !(k == 0 && call.weight_hr); }

    // A gradient of one value a row is held as its share for each unit.
    bool is_own(const Slot& s) const {
        switch (s.space) {
            case Space::r: case Space::q: case Space::t: case Space::g: case Space::ds:
            case Space::dread: case Space::dfinal:
                return true;
            case Space::dy:
                return s.narrow;
            case Space::input:
                return call.inputs[s.index].narrow;
            default:
                return false;
        }
    }

    void place() {
        this->clear(arena_.at(zero_), ld_);
        Index outputs = 0;
        for (const auto narrow : plan.narrow_output) {
            output_at_.push_back(outputs);
            outputs += narrow ? 1 : call.units;
        }
        outputs_ = outputs ? outputs : call.first;
        for (std::size_t i = 0; i < plan.slots.size(); ++i) place(i, plan.slots[i]);
    }

    void place(std::size_t i, const Slot& s) {
        const Index k = s.index;
        if (s.space == Space::ds && carries_ds_[k]) {
            this->local(i, arena_.at(carry_[k]), ld_);
            return;
        }
        if (is_own(s)) {
            this->local(i, arena_.at(own_[i]), s.narrow ? 1 : ld_);
            return;
        }
        switch (s.space) {
            case Space::input:
                this->over_time(i, const_cast<Real*>(call.inputs[k].data) + u0, call.units);
                break;
            case Space::s:
                this->local(i, arena_.at(s_[k]), ld_);
                break;
            case Space::dnew:
                this->local(i, arena_.at(carries_dnew(k) ? carry_[k] : dnew_[k]), ld_);
                break;
            case Space::dx:
                if (in_place_) this->over_time(i, back_.dx + k * column_ + u0, apart_);
                else this->local(i, arena_.at(dx_) + k * column_, plan.columns * column_);
                break;
            case Space::dinput:
                this->over_time(i, back_.dinputs[k] + u0, call.units);
                break;
            case Space::fresh: {
                const bool kept = !call.fresh.empty() && call.fresh[k];
                this->over_time(i, (kept ? call.fresh[k] : call.states[k]) + u0, call.units);
                break;
            }
            case Space::final:
                this->over_time(i, call.states[k] + u0, shared.width_of_state(k));
                break;
            case Space::v:
                this->over_time(i, call.v + k * call.units + u0, this->count(Space::v) * call.units);
                break;
            case Space::w:
                this->over_time(i, call.w + k, this->count(Space::w));
                break;
            case Space::dy:
                if (back_.dy) this->over_time(i, const_cast<Real*>(back_.dy) + output_at_[k] + u0, outputs_);
                else places_[i] = {arena_.at(zero_), 0, kNoRow};
                break;
            default:
                break;
        }
    }

    // What the last step of a row receives from outside; without steps the state passes through.
    void begin_row(Index r) {
        for (std::size_t k = 0; k < carry_.size(); ++k) {
            Real* to = this->row(carry_[k], r);
            const Index width = this->state_width(k);
            if (back_.dfinal[k]) this->copy(to, this->of_state(back_.dfinal[k], k, r), width);
            else this->clear(to, width);
            if (!back_.dstart.empty()) this->clear(this->of_state(back_.dstart[k], k, r), width);
            if (this->length(r) == 0) this->copy(this->of_state(back_.dstate[k], k, r), to, width);
        }
    }

    void step(Index t) {
        const Index rows = this->active(t);
        this->move_to(t);
        t_ = t;
        if (s_in_place_)
            for (const std::size_t i : s_slots_) places_[i] = before(t, static_cast<std::size_t>(plan.slots[i].index));
        for (Index r = 0; r < rows; ++r) receive(t, r);
        for (const Stage<Real>& stage : read_) Base::run(stage.lines, rows);
        if (!plan.narrow_output.empty()) add_read(rows);
        if (back_.clip > 0)
            for (Index r = 0; r < rows; ++r) clip(r);
        for (Index r = 0; r < rows; ++r) undo(t, r);
        if (call.weight_hr) unproject(rows);
        for (const Stage<Real>& stage : update_) {
            Base::run(stage.lines, rows);
            if (stage.product >= 0) multiply_back(plan.products[stage.product], stage.product, rows);
        }
        for (Index r = 0; r < rows; ++r) pass_on(t, r);
        clear_from(t, rows);
    }

    // The states that rows began a step with, where no boundary lies between and all have the same first step.
    Place<Real> before(Index t, std::size_t k) const {
        const Index width = shared.width_of_state(k);
        if (t == (call.reverse ? call.steps - 1 : 0)) return {const_cast<Real*>(call.state[k]) + u0, width, global_};
        return {call.states[k] + (call.reverse ? t + 1 : t - 1) * this->step_ * width + u0, this->row_ * width, global_};
    }

    // The state a step began with, and the gradient of the one it made.
    void receive(Index t, Index r) {
        const bool anew = this->starts_anew(t, r), first = t == this->first_step(r);
        const Index before = call.reverse ? t + 1 : t - 1;
        for (std::size_t k = 0; k < carry_.size(); ++k) {
            const Index width = this->state_width(k);
            const Real* s = anew    ? this->of_state(call.start[k], k, r)
                            : first ? this->of_state(call.state[k], k, r)
                                    : this->of_states(call.states[k], k, before, r);
            if (reads_s_[k] && !s_in_place_) this->copy(this->row(s_[k], r), s, width);
            if (back_.before[k]) keep_before(t, k, r, s);
            Real* carry = this->row(carry_[k], r);
            if (back_.dstates[k]) add(carry, this->of_states(back_.dstates[k], k, t, r), width);
            if (k == 0 && plan.narrow_output.empty() && back_.dy)
                add(carry, this->of_states(back_.dy, 0, t, r), width);
        }
        for (const std::size_t i : narrow_) {
            const Slot& slot = plan.slots[i];
            if (slot.space == Space::input) {
                fill(places_[i].at(r), call.inputs[slot.index].data[this->at(t, r)]);
                continue;
            }
            const Real* dy = back_.dy;
            const Index at = this->at(t, r) * outputs_ + (dy ? output_at_[slot.index] : 0);
            *places_[i].at(r) = dy ? dy[at] / static_cast<Real>(call.units) : Real(0);
        }
    }

    void keep_before(Index t, std::size_t k, Index r, const Real* s) {
        Real* to = this->of_states(back_.before[k], k, t, r);
        const Index width = this->state_width(k);
        if (k != 0 || !call.state_mask) return this->copy(to, s, width);
        const Real* mask = call.state_mask + global_[r] * call.first + u0;
        for (Index i = 0; i < width; ++i) to[i] = s[i] * mask[i];
    }

    void fill(Real* to, Real value) const {
        for (Index i = 0; i < units; ++i) to[i] = value;
    }

    void add(Real* to, const Real* from, Index count) const {
        for (Index i = 0; i < count; ++i) to[i] += from[i];
    }

    void add_read(Index rows) {
        for (std::size_t i = 0; i < plan.slots.size(); ++i)
            if (plan.slots[i].space == Space::dfinal)
                for (Index r = 0; r < rows; ++r)
                    add(this->row(carry_[plan.slots[i].index], r), places_[i].at(r),
                        this->state_width(plan.slots[i].index));
    }

    // In double, and in the order of units: a row's bits depend on nothing else.
    void clip(Index r) {
        for (std::size_t k = 0; k < carry_.size(); ++k) {
            const Index width = this->state_width(k);
            Real* d = this->row(carry_[k], r);
            double squares = 0;
            for (Index i = 0; i < width; ++i) squares += static_cast<double>(d[i]) * static_cast<double>(d[i]);
            const double norm = std::sqrt(squares), most = static_cast<double>(back_.clip);
            if (norm <= most) continue;
            const Real part = static_cast<Real>(most / norm);
            for (Index i = 0; i < width; ++i) d[i] *= part;
        }
    }

    // Zoneout: what passes it by goes to `past`, the rest to `dnew`.
    void undo(Index t, Index r) {
        for (std::size_t k = 0; k < carry_.size(); ++k) {
            const Index width = this->state_width(k);
            const Real* d = this->row(carry_[k], r);
            if (!back_.dh.empty() && back_.dh[k]) this->copy(this->of_states(back_.dh[k], k, t, r), d, width);
            Real *fresh = this->row(dnew_[k], r), *past = this->row(past_[k], r);
            if (passes_whole(k)) {
                if (!carries_dnew(k)) this->copy(fresh, d, width);
            } else {
                const Keep<Real>& keep = call.keep[k];
                const Real* share = keep.data ? this->of_states(keep.data, k, t, r) : nullptr;
                for (Index i = 0; i < width; ++i) {
                    const Real part = share ? share[i] : keep.share;
                    fresh[i] = part * d[i];
                    past[i] = (Real(1) - part) * d[i];
                }
            }
            if (k == 0 && back_.dprojected)
                this->copy(back_.dprojected + this->at(t, r) * call.first, fresh, width);
        }
    }

    void unproject(Index rows) {
        static constexpr Index none[1] = {0};
        for (Index r = 0; r < rows; ++r)  // `past` and the gradient of V's result do not overlap
            this->copy(this->row(carry_[0], r), this->row(dnew_[0], r), call.first);
        multiply<V>({arena_.at(carry_[0]), ld_, none, 1, call.first}, rows, matrices.projection,
                    {arena_.at(dnew_[0]), ld_, nullptr, nullptr, nullptr});
    }

    void multiply_back(const Product& product, int k, Index rows) {
        if (n == 0) return;
        const Place<Real>& t = places_[product.t];
        multiply<V>(gradients_of(product, rows), rows, this->alternating(matrices.of[k], t_),
                    {t.base, ld_, nullptr, nullptr, nullptr});
        const Slot& vector = plan.slots[product.vector];
        if (!call.state_mask || vector.space != Space::s || vector.index != 0) return;
        const Index width = this->state_width(0);
        for (Index r = 0; r < rows; ++r)
            for (Index i = 0; i < width; ++i) t.at(r)[i] *= call.state_mask[global_[r] * call.first + u0 + i];
    }

    // The gradients of a row's projections at the step at hand, column after column.
    Real* dx_row(Index r) const {
        if (!in_place_) return this->row(dx_, r, plan.columns);
        return back_.dx + this->at(t_, r) * apart_ + u0;
    }

    // Those of a product's gates: all units of them, this thread's and those of others.
    Rows<Real> gradients_of(const Product& product, Index rows) {
        const auto gates = static_cast<Index>(product.d.size());
        offsets_.clear();
        for (Index j = 0; j < gates; ++j)
            offsets_.push_back(exchange_ ? j * call.units : plan.slots[product.d[j]].index * column_);
        if (!exchange_) {
            const Index apart = in_place_ ? apart_ * this->row_ : plan.columns * column_;
            return {dx_row(0), apart, offsets_.data(), gates, units};
        }
        Real* to = exchange_->next();
        for (Index r = 0; r < rows; ++r)
            for (Index j = 0; j < gates; ++j)
                this->copy(to + r * exchange_->ld + j * call.units + u0,
                           dx_row(r) + plan.slots[product.d[j]].index * column_, units);
        exchange_->wait();
        return {to, exchange_->ld, offsets_.data(), gates, call.units};
    }

    // Stores the gradients of a step, and carries that of the state to the step before.
    void pass_on(Index t, Index r) {
        Real* dx = back_.dx + this->at(t, r) * apart_ + u0;
        for (Index c = 0; !in_place_ && c < plan.columns; ++c)
            this->put(dx + c * call.units, dx_row(r) + c * column_, units);
        for (Index c = 0; back_.dsums && c < plan.columns; ++c)
            add(arena_.at(column_sums_) + c * units, dx_row(r) + c * column_, units);
        for (const std::size_t i : results_) {
            const auto k = static_cast<std::size_t>(plan.slots[i].index);
            if (plan.slots[i].space == Space::g) {
                add(arena_.at(sums_) + plan.slots[i].index * units, places_[i].at(r), units);
                continue;
            }
            const Index width = this->state_width(k);
            if (!carries_ds_[k]) this->copy(this->row(carry_[k], r), places_[i].at(r), width);
            if (!passes_whole(k)) add(this->row(carry_[k], r), this->row(past_[k], r), width);
        }
        const bool anew = this->starts_anew(t, r), first = t == this->first_step(r);
        if (!anew && !first) return;
        for (std::size_t k = 0; k < carry_.size(); ++k) {
            const Index width = this->state_width(k);
            Real* carry = this->row(carry_[k], r);
            if (anew) {
                add(this->of_state(back_.dstart[k], k, r), carry, width);
                this->clear(carry, width);
            }
            if (first) this->copy(this->of_state(back_.dstate[k], k, r), carry, width);
        }
    }

    void clear_from(Index t, Index rows) {
        for (Index r = rows; r < n; ++r) {
            const Index at = this->at(t, r);
            for (Index c = 0; c < plan.columns; ++c)
                this->clear(back_.dx + at * apart_ + c * call.units + u0, units);
            for (Real* input : back_.dinputs) this->clear(input + at * call.units + u0, units);
            if (back_.dprojected) this->clear(back_.dprojected + at * call.first, call.first);
            for (std::size_t k = 0; k < carry_.size(); ++k) {
                if (!back_.dh.empty() && back_.dh[k])
                    this->clear(this->of_states(back_.dh[k], k, t, r), this->state_width(k));
                if (back_.before[k]) this->clear(this->of_states(back_.before[k], k, t, r), this->state_width(k));
            }
        }
    }

    const BackwardCall<Real>& back_;
    Stages<Real> update_, read_;
    std::vector<std::size_t> s_, carry_, dnew_, past_, own_;
    std::vector<std::size_t> narrow_, results_;  // slots that are filled before, and taken from after
    std::vector<std::size_t> s_slots_;           // of states that the derivative reads
    std::vector<bool> reads_s_, carries_ds_;     // of each state: whether it does, and `may_carry_ds`
    bool s_in_place_;                            // whether those are read where all steps have their places
    std::vector<Index> output_at_, offsets_;
    std::size_t dx_, sums_, column_sums_, zero_;
    bool in_place_;         // whether gradients of projections are made where the caller wants them
    Index column_, apart_;  // from one of them to the next, and there from a row to the next
    Index outputs_ = 0, t_ = 0;
};

}  // namespace elman::ELMAN_SET
