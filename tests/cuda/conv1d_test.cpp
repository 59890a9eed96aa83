// conv1d on a CUDA device: the bits of the CPU's kernels, under every schedule, of ragged records.
#include "runtime/cuda/handles.h"
#include "runtime/cuda/launchers/launchers.h"
#include "runtime/kernels/kernels.h"
#include "tests/cuda/kernel_data.h"
#include "tests/cuda/kernel_test.h"

#include <functional>

namespace penstock::cuda {
namespace {

struct Case {
  std::int64_t width, k, n;
  std::vector<int> lengths;
  bool bias = true, accumulate = false;
};

class Conv1d : public KernelTest {
protected:
  void prepare(const Case &of) {
    it = of;
    const std::int64_t numbers[] = {of.width, of.k, of.n};
    const PenstockDispatch dispatch = {"conv1d", "", 3, numbers};
    Result<KernelHandle> host = makeKernelHandle(dispatch, Level::avx2, "packed"), made = makeHandle(dispatch, TestCard::get().device());
    ASSERT_TRUE(host.ok() && made.ok());
    cpu = std::move(*host), there = std::move(*made);
    offsets = offsetsOf(of.lengths);
    records = std::ssize(of.lengths), rows = offsets.back();
    weight = normal(of.width * of.k * of.n, 1, 0.2f), bias = normal(of.n, 2), x = normal(rows * of.k, 3), dy = normal(rows * of.n, 4);
    dx = normal(rows * of.k, 5), g = normal(records * of.n, 6);
    weightThere = std::make_unique<OnDevice<float>>(weight);
    ThreadPool *const workers = pool();
    penstock_pack(cpu.get(), weight.data(), workers);
    penstock_cuda_pack(call(), there.get(), weightThere->data(), 0);
  }
  ThreadPool *pool() {
    static Result<std::unique_ptr<ThreadPool>> *const made = new Result<std::unique_ptr<ThreadPool>>(ThreadPool::create(1));
    return (*made)->get();
  }

  /// `run` leaves the same bits under every schedule, and where records have more room than there are.
  void
  compare(const std::vector<float> &expected, const std::vector<float> &before,
          const std::function<void(float *result, const std::int32_t *offsets, std::int64_t capacity, const std::int64_t *count)> &run) {
    for (int order = 0; order < 3; ++order) {
      schedule(order);
      std::vector<float> room = before;
      room.resize(before.size() + 100, untouched);
      std::vector<std::int32_t> starts = offsets;
      starts.resize(static_cast<std::size_t>(records + 17 * order + 1), 1 << 30);
      const OnDevice<float> result(room);
      const OnDevice<std::int32_t> startsThere(starts);
      const OnDevice<std::int64_t> count(std::vector<std::int64_t>{records});
      run(result.data(), startsThere.data(), records + 17 * order, count.data());
      std::vector<float> got = result.read();
      for (std::size_t i = before.size(); i < got.size(); ++i) {
        EXPECT_EQ(got[i], untouched) << "beyond the end, at " << i;
      }
      got.resize(before.size());
      EXPECT_TRUE(sameBits(got, expected)) << "schedule " << order;
    }
    schedule(0);
  }

  Case it;
  KernelHandle cpu, there;
  std::vector<std::int32_t> offsets;
  std::int64_t records = 0, rows = 0;
  std::vector<float> weight, bias, x, dy, dx, g;
  std::unique_ptr<OnDevice<float>> weightThere;
  std::vector<float> scratch = std::vector<float>(PENSTOCK_SCRATCH_FLOATS + 400000);
};

const Case cases[] = {
    {3, 37, 67, {1, 71, 0, 5, 64}, true, false},
    {2, 16, 65, {130, 2}, false, true},
    {5, 3, 1, {4, 0, 0, 1}, true, true},
    {1, 8, 64, {9}, true, false},
    {7, 1, 5, {3, 100}, true, false},
    {4, 5, 3, {}, true, false},
    {3, 5, 3, {0, 0}, true, false},
};

TEST_F(Conv1d, ForwardAndGradientsHaveTheCpusBits) {
  for (const Case &of : cases) {
    SCOPED_TRACE(testing::Message() << of.width << " x " << of.k << " x " << of.n);
    prepare(of);
    const OnDevice<float> xThere(x), dyThere(dy), biasThere(bias);
    std::vector<float> y = unwritten(rows * of.n);
    const std::vector<float> before = y;
    penstock_conv1d(cpu.get(), x.data(), y.data(), offsets.data(), 0, records, of.bias ? bias.data() : nullptr, scratch.data());
    compare(y, before, [&](float *result, const std::int32_t *starts, std::int64_t capacity, const std::int64_t *count) {
      penstock_cuda_conv1d(call(), there.get(), xThere.data(), result, starts, capacity, count, of.bias ? biasThere.data() : nullptr, 0);
    });
    std::vector<float> gradient = dx;
    penstock_conv1d_input_grad(cpu.get(), dy.data(), gradient.data(), offsets.data(), 0, records, of.accumulate ? 1 : 0, scratch.data());
    compare(gradient, dx, [&](float *result, const std::int32_t *starts, std::int64_t capacity, const std::int64_t *count) {
      penstock_cuda_conv1d_input_grad(call(), there.get(), dyThere.data(), result, starts, capacity, count, of.accumulate ? 1 : 0, 0);
    });
    std::vector<float> dw = unwritten(of.width * of.k * of.n);
    const std::vector<float> none = dw;
    penstock_conv1d_weight_grad(cpu.get(), pool(), x.data(), dy.data(), offsets.data(), records, dw.data(), scratch.data());
    compare(dw, none, [&](float *result, const std::int32_t *starts, std::int64_t capacity, const std::int64_t *count) {
      penstock_cuda_conv1d_weight_grad(call(), there.get(), xThere.data(), dyThere.data(), starts, capacity, count, result, 0);
    });
  }
}

TEST_F(Conv1d, TheLargestAndItsGradientsHaveTheCpusBits) {
  for (const Case &of : cases) {
    SCOPED_TRACE(testing::Message() << of.width << " x " << of.k << " x " << of.n);
    prepare(of);
    if (rows > 3) { // equal rows, of which the first counts
      std::copy_n(x.begin(), of.k, x.begin() + of.k);
    }
    const OnDevice<float> xThere(x), gThere(g), biasThere(bias);
    std::vector<float> top = unwritten(records * of.n);
    const std::vector<float> before = top;
    std::vector<std::int32_t> argmax(top.size(), 0), argmaxHere;
    penstock_conv1d_max(cpu.get(), x.data(), offsets.data(), 0, records, of.bias ? bias.data() : nullptr, top.data(), argmax.data(),
                        scratch.data());
    const OnDevice<std::int32_t> places(std::vector<std::int32_t>(argmax.size(), 0));
    compare(top, before, [&](float *result, const std::int32_t *starts, std::int64_t capacity, const std::int64_t *count) {
      penstock_cuda_conv1d_max(call(), there.get(), xThere.data(), starts, capacity, count, of.bias ? biasThere.data() : nullptr, result,
                               places.data(), 0);
    });
    EXPECT_TRUE(sameBits(places.read(), argmax));
    std::vector<float> gradient = dx;
    penstock_conv1d_max_input_grad(cpu.get(), weight.data(), g.data(), argmax.data(), gradient.data(), offsets.data(), 0, records,
                                   of.accumulate ? 1 : 0);
    compare(gradient, dx, [&](float *result, const std::int32_t *starts, std::int64_t capacity, const std::int64_t *count) {
      penstock_cuda_conv1d_max_input_grad(call(), there.get(), weightThere->data(), gThere.data(), places.data(), result, starts, capacity,
                                          count, of.accumulate ? 1 : 0, 0);
    });
    std::vector<float> dw = unwritten(of.width * of.k * of.n);
    const std::vector<float> none = dw;
    penstock_conv1d_max_weight_grad(cpu.get(), pool(), x.data(), g.data(), argmax.data(), offsets.data(), records, dw.data());
    compare(dw, none, [&](float *result, const std::int32_t *starts, std::int64_t capacity, const std::int64_t *count) {
      penstock_cuda_conv1d_max_weight_grad(call(), there.get(), xThere.data(), gThere.data(), places.data(), starts, capacity, count,
                                           result, 0);
    });
  }
}

} // namespace
} // namespace penstock::cuda
