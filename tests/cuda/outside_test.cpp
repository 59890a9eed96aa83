// What an address sanitizer over the kernels must tell: a read one number behind an array of global memory, and one of shared memory.
#include "runtime/cuda/launchers/launchers.h"
#include "tests/cuda/kernel_data.h"
#include "tests/cuda/kernel_test.h"

namespace penstock::cuda {
namespace {

const LibraryKernel loss("crf_loss");

class OutsideDeathTest : public KernelTest {};

void sumOf(const PenstockCall *call, int rows, int there) {
  const OnDevice<float> x(normal(there, 3)), y(unwritten(1));
  const OnDevice<std::int32_t> offsets(offsetsOf({rows}));
  penstock_cuda_segment_sum(call, x.data(), offsets.data(), 1, nullptr, 1, y.data(), 0);
  (void)y.read();
}

TEST_F(OutsideDeathTest, GlobalMemory) {
  sumOf(call(), 7, 7);
  EXPECT_DEATH(sumOf(call(), 8, 7), "AddressSanitizer: use-after-poison.*\n*.*READ of size 4");
}

/// A field of so many tags by a launch with room for fewer.
TEST_F(OutsideDeathTest, SharedMemory) {
  const std::int64_t tags = 5, records = 1;
  const OnDevice<float> logits(normal(3 * tags, 5)), transitions(normal((tags + 2) * tags, 7)), out(unwritten(1)),
      alpha(unwritten(3 * tags));
  const OnDevice<std::int32_t> offsets(offsetsOf({3})), target(std::vector<std::int32_t>{1, 2, 0});
  const std::int64_t *const count = nullptr;
  const auto run = [&](std::size_t shared) {
    launch(call(), loss, {1}, 32, shared, static_cast<const float *>(logits.data()), static_cast<const std::int32_t *>(target.data()),
           static_cast<const float *>(transitions.data()), static_cast<const std::int32_t *>(offsets.data()), records, count, tags,
           out.data(), alpha.data());
    (void)out.read();
  };
  run(2 * tags * sizeof(double));
  EXPECT_DEATH(run(2 * tags * sizeof(double) - 8), "AddressSanitizer: use-after-poison");
}

} // namespace
} // namespace penstock::cuda
