// Random pipelines, as text: what the test of whole models is made from.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::conformance {

struct Generated {
  std::string text;  // of the `.pipe` file
  std::string facts; // about data that do not exist: sizes of vocabularies
};

/// The pipeline of a seed, with about `operations` operations in its model: chains, trees, residuals, bound instances that are called
/// several times, layers of layers, `repeat`, one to three answers. Every value ends in an answer, and values stay of moderate size.
Generated generatePipeline(std::uint64_t seed, int operations);

} // namespace penstock::conformance
