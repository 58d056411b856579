// Which instruction sets may be used here?
#pragma once

namespace elman {

// A set is true only where the processor has it *and* the operating system saves its
// registers across a switch of threads (xgetbv on x86): without the second, values are lost.
struct InstructionSets {
    bool avx2_fma;  // AVX2 and FMA
    bool avx512;    // AVX-512 F, CD, BW, DQ and VL
    bool neon;      // always true on 64-bit Arm, whose baseline it is
};

// Asks the processor: some hundred cycles, nothing kept, allocated or thrown.
InstructionSets instruction_sets() noexcept;

// Who made the processor, as it says itself: "GenuineIntel", "AuthenticAMD"; empty where it does not.
struct Maker {
    char name[13];
};

Maker maker() noexcept;

}  // namespace elman
