// Conditional random fields on a CUDA device against the CPU's, which are tested against every chain: the same steps in float64, by
// functions of its own.
#include "runtime/cuda/launchers/launchers.h"
#include "runtime/kernels/kernels.h"
#include "tests/cuda/kernel_data.h"
#include "tests/cuda/kernel_test.h"

namespace penstock::cuda {
namespace {

using Ints = std::vector<std::int32_t>;
using Floats = std::vector<float>;

class Crf : public KernelTest {};

struct Field {
  std::int64_t tags;
  Ints offsets, target, word;
  Floats logits, transitions, cotangent;

  Field(std::int64_t tags, const std::vector<int> &lengths, unsigned seed) : tags(tags), offsets(offsetsOf(lengths)) {
    std::mt19937 random(seed);
    for (std::int32_t row = 0; row < offsets.back(); ++row) {
      target.push_back(row % 3 == 2 ? -1 : static_cast<std::int32_t>(random() % static_cast<unsigned>(tags)));
      word.push_back(row % 4 == 1 ? -1 : row);
    }
    logits = normal(offsets.back() * tags, seed + 1, 2);
    transitions = normal((tags + 2) * tags, seed + 2, 2);
    cotangent = normal(records(), seed + 3);
  }
  std::int64_t records() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  std::size_t inRows() const { return static_cast<std::size_t>(offsets.back() * tags); }
  std::size_t inTransitions() const { return static_cast<std::size_t>(records() * (tags + 2) * tags); }
};

void near(const Floats &got, const Floats &expected, const char *what) {
  ASSERT_GE(got.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], 2e-6 * (1 + std::fabs(expected[i]))) << what << " at " << i;
  }
  for (std::size_t i = expected.size(); i < got.size(); ++i) {
    ASSERT_EQ(got[i], untouched) << what << " beyond the end, at " << i;
  }
}

struct Answer {
  Floats loss, alpha, dlogits, dtransitions, decoded;
  bool operator==(const Answer &other) const {
    return sameBits(loss, other.loss) && sameBits(alpha, other.alpha) && sameBits(dlogits, other.dlogits) &&
           sameBits(dtransitions, other.dtransitions) && sameBits(decoded, other.decoded);
  }
};

Answer onDevice(const PenstockCall *call, const Field &field, std::int64_t capacity, bool words) {
  const OnDevice<std::int64_t> count(std::vector<std::int64_t>{field.records()});
  const std::int64_t *const there = capacity == field.records() ? nullptr : count.data();
  const auto room = [](std::size_t size) { return unwritten(static_cast<std::int64_t>(size) + 13); };
  const OnDevice<float> logits(field.logits), transitions(field.transitions), cotangent(field.cotangent);
  const OnDevice<std::int32_t> offsets(field.offsets), target(field.target), word(field.word);
  const OnDevice<float> loss(room(static_cast<std::size_t>(field.records()))), alpha(room(field.inRows())), dlogits(room(field.inRows())),
      dtransitions(room(field.inTransitions())), decoded(room(field.inRows())), ownAlpha(room(field.inRows()));
  const OnDevice<std::int32_t> back(Ints(field.inRows() + 1));
  const std::int64_t tags = field.tags;
  penstock_cuda_crf_loss(call, logits.data(), target.data(), transitions.data(), offsets.data(), capacity, there, tags, loss.data(),
                         alpha.data(), 0);
  penstock_cuda_crf_loss_grad(call, logits.data(), target.data(), transitions.data(), alpha.data(), cotangent.data(), offsets.data(),
                              capacity, there, tags, dlogits.data(), dtransitions.data(), 0);
  penstock_cuda_crf_decode(call, logits.data(), transitions.data(), offsets.data(), words ? word.data() : nullptr, capacity, there, tags,
                           decoded.data(), ownAlpha.data(), back.data(), 0);
  return {loss.read(), alpha.read(), dlogits.read(), dtransitions.read(), decoded.read()};
}

TEST_F(Crf, IsTheCpus) {
  for (const std::int64_t tags : {1, 2, 9, 37, 131}) {
    for (const std::vector<int> &lengths : {std::vector<int>{}, {1}, {0}, {5, 0, 1, 23, 2}}) {
      SCOPED_TRACE(testing::Message() << tags << " tags, " << lengths.size() << " records");
      const Field field(tags, lengths, static_cast<unsigned>(tags));
      const bool words = tags != 9;
      Floats loss(static_cast<std::size_t>(field.records())), alpha(field.inRows()), dlogits(field.inRows()),
          dtransitions(field.inTransitions()), decoded(field.inRows()), ownAlpha(field.inRows());
      Ints back(field.inRows());
      std::vector<double> scratch(static_cast<std::size_t>(4 * tags));
      auto *const floats = reinterpret_cast<float *>(scratch.data());
      penstock_crf_loss(field.logits.data(), field.target.data(), field.transitions.data(), field.offsets.data(), 0, field.records(), tags,
                        loss.data(), alpha.data(), floats);
      penstock_crf_loss_grad(field.logits.data(), field.target.data(), field.transitions.data(), alpha.data(), field.cotangent.data(),
                             field.offsets.data(), 0, field.records(), tags, dlogits.data(), dtransitions.data(), floats);
      penstock_crf_decode(field.logits.data(), field.transitions.data(), field.offsets.data(), words ? field.word.data() : nullptr, 0,
                          field.records(), tags, decoded.data(), ownAlpha.data(), back.data(), floats);
      const Answer got = onDevice(call(), field, field.records(), words);
      near(got.loss, loss, "loss");
      near(got.alpha, alpha, "alpha");
      near(got.dlogits, dlogits, "gradient of the logits");
      near(got.dtransitions, dtransitions, "gradient of the transitions");
      near(got.decoded, decoded, "answer");
      if (tags > 40) {
        continue; // slow enough
      }
      EXPECT_TRUE(onDevice(call(), field, field.records() + 5, words) == got) << "of a larger capacity";
      for (int order = 1; order < 3; ++order) {
        schedule(order);
        EXPECT_TRUE(onDevice(call(), field, field.records(), words) == got) << "schedule " << order;
      }
      schedule(0);
    }
  }
}

} // namespace
} // namespace penstock::cuda
