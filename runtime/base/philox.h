// Random numbers that are functions of a counter and a key.
#pragma once

#include <cstdint>
#include <span>

namespace penstock {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
void philox(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t out[4]);

/// In [0, 1), from the upper 24 bits of a word.
inline double unitOf(std::uint32_t word) { return static_cast<double>(word >> 8) * 0x1p-24; }
/// Four standard normal numbers from four words: Box-Muller in float64.
void normalsOf(const std::uint32_t words[4], double out[4]);

/// The step of what is drawn outside of training.
inline constexpr std::uint64_t noStep = ~std::uint64_t{0};
/// Standard normal numbers, a function of key, step, record and place alone.
void drawNormals(std::uint64_t key, std::uint64_t step, std::uint64_t record, std::span<float> out);

} // namespace penstock
