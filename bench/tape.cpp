// Steps of GRU and LSTM fused by hand, beside the engine that interprets their tapes:
//
//   tape plans.txt CELL B H T rounds
//
// Both multiply with kernels/product.hpp and the functions of math.hpp, on one thread, in float32;
// they differ in what stands between the products alone. The numbers of the fused loops are held to
// the engine's before anything is timed. Prints the least seconds of the processor of `rounds` passes
// each, taking turns: engine forward, fused forward, engine backward, fused backward.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#if defined(__AVX512F__)
#define ELMAN_SET bench_avx512
#include "simd/avx512.hpp"
using V = elman::avx512::F32;
#elif defined(__AVX2__)
#define ELMAN_SET bench_avx2
#include "simd/avx2.hpp"
using V = elman::avx2::F32;
#elif defined(__SSE2__)
#define ELMAN_SET bench_sse2
#include "simd/sse2.hpp"
using V = elman::sse2::F32;
#else
#define ELMAN_SET bench_neon
#include "simd/neon.hpp"
using V = elman::neon::F32;
#endif

#include "call_case.hpp"
#include "engines.hpp"
#include "kernels/buffer.hpp"
#include "kernels/denormals.hpp"
#include "kernels/product.hpp"
#include "math.hpp"
#include "plan_file.hpp"

namespace {

using namespace elman_test;
using namespace elman::ELMAN_SET;
using elman::FlushDenormals;
using elman::sigmoid;

#define ELMAN_TEXT(name) #name
#define ELMAN_NAME(name) ELMAN_TEXT(name)
constexpr const char* kSet = ELMAN_NAME(ELMAN_SET);
constexpr Index kNone[1] = {0};

using Values = std::vector<float>;

Values random_values(Random& random, Index count, double low, double high) {
    Values found(static_cast<std::size_t>(count));
    for (float& one : found) one = static_cast<float>(random.between(low, high));
    return found;
}

// What goes into both, and what comes out of one of them. All arrays are dense, time first.
struct Given {
    Index steps, rows, units, gates, states;
    Values x, weight, bias, state, dy, dfinal;  // state and dfinal: (K, B, H); dy: (T, B, H)
};

struct Made {
    Values states, v, final, dx, dstate;  // states: (K, T, B, H); v and dx: (T, B, count * H)
};

Made room(const Given& g, Index saved, Index columns) {
    const auto size = [](Index n) { return static_cast<std::size_t>(n); };
    const Index all = g.steps * g.rows * g.units;
    return {Values(size(g.states * all)), Values(size(saved * all)), Values(size(g.states * g.rows * g.units)),
            Values(size(columns * all)), Values(size(g.states * g.rows * g.units))};
}

// Panels of U for each gate, and of its transpose, packed anew in each pass as the engine does.
struct Packed {
    Arena<float> arena;
    Panels<float> ahead{}, back{};
    std::vector<Added> added;  // what of x each panel is given; a GRU's n has its own later
    float* u = nullptr;  // (B, G * H): the products of a step

    Packed(const Given& g, bool backward) {
        const Index H = g.units, G = g.gates;
        const std::size_t panels = arena.ask(G * H * H), products = arena.ask(g.rows * G * H);
        if (!arena.allocate()) std::exit(1);
        u = arena.at(products);
        float* out = arena.at(panels);
        if (backward) {
            pack<V>(H, G * H, out, [&](Index c, Index i) { return g.weight[static_cast<std::size_t>(i * H + c)]; });
            back = {out, H, G * H};
            return;
        }
        pack<V>(G * H, H, out, [&](Index c, Index i) { return g.weight[static_cast<std::size_t>(c * H + i)]; });
        ahead = {out, G * H, H};
        for (Index c = 0; c < G * H; c += kPanel<V>) added.push_back({G == 3 && c >= 2 * H ? -1 : c, kPanel<V>});
    }
};

// u = U h + b (+ x, for the gates that `added` says) of all rows.
void project(const Given& g, const Packed& packed, const float* h, const float* x, std::vector<const float*>& adds) {
    const Index H = g.units, G = g.gates;
    for (Index r = 0; r < g.rows; ++r) adds[static_cast<std::size_t>(r)] = x + r * G * H;
    multiply<V>({h, H, kNone, 1, H}, g.rows, packed.ahead,
                {packed.u, G * H, g.bias.data(), adds.data(), packed.added.data()});
}

// --- GRU: v is r, z, U_n h + b, n; dx is of r, z, n and of U_n h + b ----------------------------

void gru_forward(const Given& g, Made& m) {
    const FlushDenormals flush;
    const Packed packed(g, false);
    const Index H = g.units, B = g.rows;
    std::vector<const float*> adds(static_cast<std::size_t>(B));
    const float* h = g.state.data();
    for (Index t = 0; t < g.steps; ++t) {
        const float* x = g.x.data() + t * B * 3 * H;
        float* to = m.states.data() + t * B * H;
        project(g, packed, h, x, adds);
        for (Index b = 0; b < B; ++b) {
            const float *u = packed.u + b * 3 * H, *xn = x + b * 3 * H + 2 * H, *old = h + b * H;
            float *v = m.v.data() + (t * B + b) * 4 * H, *out = to + b * H;
            for (Index i = 0; i < H; i += V::width) {
                const V r = sigmoid(V::load(u + i)), z = sigmoid(V::load(u + H + i)), un = V::load(u + 2 * H + i);
                const V n = elman::tanh(V::load(xn + i) + r * un);
                r.store(v + i), z.store(v + H + i), un.store(v + 2 * H + i), n.store(v + 3 * H + i);
                (n + z * (V::load(old + i) - n)).store(out + i);
            }
        }
        h = to;
    }
    std::copy(h, h + B * H, m.final.begin());
}

void gru_backward(const Given& g, Made& m) {
    const FlushDenormals flush;
    const Packed packed(g, true);
    const Index H = g.units, B = g.rows, offsets[3] = {0, H, 3 * H};
    Values carry = g.dfinal;
    const V one = V::set(1);
    for (Index t = g.steps - 1; t >= 0; --t) {
        const float* before = t ? m.states.data() + (t - 1) * B * H : g.state.data();
        float* dx = m.dx.data() + t * B * 4 * H;
        for (Index b = 0; b < B; ++b) {
            const float *v = m.v.data() + (t * B + b) * 4 * H, *old = before + b * H;
            const float* dy = g.dy.data() + (t * B + b) * H;
            float *d = dx + b * 4 * H, *c = carry.data() + b * H;
            for (Index i = 0; i < H; i += V::width) {
                const V r = V::load(v + i), z = V::load(v + H + i), un = V::load(v + 2 * H + i), n = V::load(v + 3 * H + i);
                const V dh = V::load(c + i) + V::load(dy + i);
                const V dn = dh * (one - z) * fnma(n, n, one);
                (dn * un * (one - r) * r).store(d + i);
                (dh * (V::load(old + i) - n) * (one - z) * z).store(d + H + i);
                dn.store(d + 2 * H + i);
                (r * dn).store(d + 3 * H + i);
                (dh * z).store(c + i);
            }
        }
        multiply<V>({dx, 4 * H, offsets, 3, H}, B, packed.back, {packed.u, H, nullptr, nullptr, nullptr});
        for (Index i = 0; i < B * H; i += V::width)
            (V::load(carry.data() + i) + V::load(packed.u + i)).store(carry.data() + i);
    }
    m.dstate = carry;
}

// --- LSTM: v is i, f, g, o, tanh(c) --------------------------------------------------------------

void lstm_forward(const Given& g, Made& m) {
    const FlushDenormals flush;
    const Packed packed(g, false);
    const Index H = g.units, B = g.rows, all = g.steps * B * H;
    std::vector<const float*> adds(static_cast<std::size_t>(B));
    const float *h = g.state.data(), *c = h + B * H;
    for (Index t = 0; t < g.steps; ++t) {
        float *to = m.states.data() + t * B * H, *cell = to + all;
        project(g, packed, h, g.x.data() + t * B * 4 * H, adds);
        for (Index b = 0; b < B; ++b) {
            const float *u = packed.u + b * 4 * H, *old = c + b * H;
            float *v = m.v.data() + (t * B + b) * 5 * H, *out = to + b * H, *kept = cell + b * H;
            for (Index i = 0; i < H; i += V::width) {
                const V in = sigmoid(V::load(u + i)), f = sigmoid(V::load(u + H + i));
                const V a = elman::tanh(V::load(u + 2 * H + i)), o = sigmoid(V::load(u + 3 * H + i));
                const V s = f * V::load(old + i) + in * a, y = elman::tanh(s);
                in.store(v + i), f.store(v + H + i), a.store(v + 2 * H + i), o.store(v + 3 * H + i);
                y.store(v + 4 * H + i), s.store(kept + i), (o * y).store(out + i);
            }
        }
        h = to, c = cell;
    }
    std::copy(h, h + B * H, m.final.begin());
    std::copy(c, c + B * H, m.final.begin() + B * H);
}

void lstm_backward(const Given& g, Made& m) {
    const FlushDenormals flush;
    const Packed packed(g, true);
    const Index H = g.units, B = g.rows, all = g.steps * B * H, offsets[4] = {0, H, 2 * H, 3 * H};
    Values carry = g.dfinal;
    const V one = V::set(1);
    for (Index t = g.steps - 1; t >= 0; --t) {
        const float* before = t ? m.states.data() + all + (t - 1) * B * H : g.state.data() + B * H;
        float* dx = m.dx.data() + t * B * 4 * H;
        for (Index b = 0; b < B; ++b) {
            const float *v = m.v.data() + (t * B + b) * 5 * H, *old = before + b * H;
            const float *dy = g.dy.data() + (t * B + b) * H, *ch = carry.data() + b * H;
            float *d = dx + b * 4 * H, *cc = carry.data() + (B + b) * H;
            for (Index i = 0; i < H; i += V::width) {
                const V in = V::load(v + i), f = V::load(v + H + i), a = V::load(v + 2 * H + i);
                const V o = V::load(v + 3 * H + i), y = V::load(v + 4 * H + i);
                const V dh = V::load(ch + i) + V::load(dy + i);
                const V dc = V::load(cc + i) + dh * o * fnma(y, y, one);
                (dc * a * (one - in) * in).store(d + i);
                (dc * V::load(old + i) * (one - f) * f).store(d + H + i);
                (dc * in * fnma(a, a, one)).store(d + 2 * H + i);
                (dh * y * (one - o) * o).store(d + 3 * H + i);
                (dc * f).store(cc + i);
            }
        }
        multiply<V>({dx, 4 * H, offsets, 4, H}, B, packed.back, {carry.data(), H, nullptr, nullptr, nullptr});
    }
    m.dstate = carry;
}

// --- the engine --------------------------------------------------------------------------------

struct Asked {
    elman::Call<float> call{};
    elman::BackwardCall<float> back{};

    Asked(const Given& g, Made& m) {
        const Index all = g.steps * g.rows * g.units, each = g.rows * g.units;
        call.steps = g.steps, call.rows = g.rows, call.units = call.first = g.units, call.threads = 1;
        call.x = g.x.data(), call.weight_hh = g.weight.data(), call.bias_hh = g.bias.data(), call.v = m.v.data();
        back.forward = &call, back.dy = g.dy.data(), back.dx = m.dx.data();
        for (Index k = 0; k < g.states; ++k) {
            call.state.push_back(g.state.data() + k * each);
            call.states.push_back(m.states.data() + k * all);
            call.fresh.push_back(nullptr);
            call.final.push_back(m.final.data() + k * each);
            back.dfinal.push_back(g.dfinal.data() + k * each);
            back.dstates.push_back(nullptr);
            back.dstate.push_back(m.dstate.data() + k * each);
            back.before.push_back(nullptr);
        }
    }
};

// Each is a sum of up to G * H terms, of T steps one after another.
bool agree(const char* what, const Values& ours, const Values& right, const Given& g) {
    float scale = 1;
    for (const float each : right) scale = std::max(scale, std::fabs(each));
    const double bound = 1.2e-7 * scale * (8.0 * static_cast<double>(g.steps) + std::sqrt(static_cast<double>(g.gates * g.units)));
    for (std::size_t i = 0; i < right.size(); ++i)
        if (!(std::fabs(static_cast<double>(ours[i]) - right[i]) <= bound)) {
            std::printf("%s[%zu] is %.9g, not %.9g\n", what, i, static_cast<double>(ours[i]), static_cast<double>(right[i]));
            return false;
        }
    return true;
}

double seconds(const std::function<void()>& call) {
    // Of the processor, not of the clock on the wall: what else runs here does not count.
    const std::clock_t start = std::clock();
    call();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 7) return std::printf("tape plans.txt CELL B H T rounds\n"), 2;
    const std::string cell = arguments[2];
    const auto number_of = [&](int i) { return static_cast<Index>(std::atoll(arguments[i])); };
    const bool gru = cell == "GRU";
    if (!gru && cell != "LSTM") return std::printf("CELL must be GRU or LSTM\n"), 2;
    Given g{number_of(5), number_of(3), number_of(4), gru ? 3 : 4, gru ? 1 : 2, {}, {}, {}, {}, {}, {}};
    if (g.rows < 1 || g.steps < 1 || g.units < 1 || g.units % kPanel<V>)
        return std::printf("H must be a multiple of %d, and B and T at least 1\n", static_cast<int>(kPanel<V>)), 2;
    const elman::Plan* plan = nullptr;
    const std::vector<NamedPlan> plans = plans_of(arguments[1]);
    for (const NamedPlan& one : plans)
        if (one.name == cell) plan = &one.plan;
    if (!plan) return std::printf("the plans have no %s\n", cell.c_str()), 2;

    Random random(1);
    const double scale = 1 / std::sqrt(static_cast<double>(g.units));
    const Index each = g.rows * g.units, gates = g.gates * g.units;
    g.x = random_values(random, g.steps * g.rows * gates, -1, 1);
    g.weight = random_values(random, gates * g.units, -scale, scale);
    g.bias = random_values(random, gates, -1, 1);
    g.state = random_values(random, g.states * each, -1, 1);
    g.dy = random_values(random, g.steps * each, -1, 1);
    g.dfinal = random_values(random, g.states * each, -1, 1);

    Made right = room(g, gru ? 4 : 5, 4), ours = right;
    Asked asked(g, right);
    const std::string set = std::string(kSet).substr(6);  // behind "bench_"
    if (!elman::engine<float>(set)) return std::printf("no engine of %s here\n", set.c_str()), 2;
    const elman::Engine<float>& engine = *elman::engine<float>(set);
    bool good = true;
    const std::vector<std::function<void()>> passes = {
        [&] { good = good && engine.forward(*plan, asked.call); }, [&] { (gru ? gru_forward : lstm_forward)(g, ours); },
        [&] { good = good && engine.backward(*plan, asked.back); }, [&] { (gru ? gru_backward : lstm_backward)(g, ours); }};
    for (const auto& pass : passes) pass();
    good = good && agree("states", ours.states, right.states, g) && agree("final", ours.final, right.final, g) &&
           agree("dx", ours.dx, right.dx, g) && agree("dstate", ours.dstate, right.dstate, g);
    if (!good) return 1;

    double least[4] = {1e9, 1e9, 1e9, 1e9};
    for (Index round = 0; round < number_of(6); ++round)
        for (std::size_t k = 0; k < 4; ++k) least[k] = std::min(least[k], seconds(passes[k]));
    std::printf("%s %.9f %.9f %.9f %.9f\n", engine.name, least[0], least[1], least[2], least[3]);
    return 0;
}
