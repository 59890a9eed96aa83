// Times of the library's contractions and attention on a card, against what the card can do: a line a kernel and shape. Each is enqueued
// many times over operands that take turns, so that they come from memory, and waited for once; the best of some such rounds counts.
//
//   cuda_kernels_bench [--small] [--bandwidth GB/s] [--fp32 TFLOP/s] [--bf16 TFLOP/s]
//
// The roofs are an H200's where nothing is said. --small: tiny shapes, once, for a test without a card.
#include "runtime/cuda/cuda_device.h"
#include "runtime/cuda/handles.h"
#include "runtime/cuda/launchers/launchers.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace penstock;
using namespace penstock::cuda;

struct Roofs {
  double bandwidth = 4300e9, fp32 = 60e12, bf16 = 790e12;
};

template <class T> T need(Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.status().message().c_str());
    std::exit(4);
  }
  return std::move(*result);
}
void need(const Status &status) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.message().c_str());
    std::exit(4);
  }
}

/// What a kernel did: where its operands of turn `turn` lie is its own business.
struct Work {
  std::string name;
  double operations, bytes, peak;
  std::function<void(int turn)> run;
};

class Bench {
public:
  Bench(bool small, const Roofs &roofs) : tiny(small), roofs(roofs), card(*need(CudaDevice::open(0))), stream(need(card.openStream())) {
    call.stream = static_cast<CudaStream &>(*stream).context();
    std::printf("%s\n%-46s %10s %10s %10s %8s\n", std::string(card.name()).c_str(), "kernel", "us", "TFLOP/s", "GB/s", "of roof");
  }

  /// Numbers on the card, one after another's bytes for each turn: large enough that turns do not meet in a cache.
  struct Floats {
    std::int64_t count;
    DeviceMemory memory;
    int turns;
    float *of(int turn) const { return memory.floats() + count * (turn % turns); }
  };
  /// `zeros`, or small numbers: a card that multiplies zeros takes less power, and is faster.
  Floats floats(std::int64_t count, bool zeros = false) {
    count = (count + 63) / 64 * 64;
    const int turns = tiny ? 1 : static_cast<int>(std::clamp<std::int64_t>((std::int64_t{64} << 20) / (count * 4), 1, 8));
    Floats made = {count, need(DeviceMemory::zeros(card, static_cast<std::size_t>(count * 4 * turns), "operands")), turns};
    if (!zeros) {
      std::uint32_t random = 12345;
      std::vector<float> numbers(static_cast<std::size_t>(count));
      for (float &number : numbers) {
        random = random * 1664525 + 1013904223;
        number = static_cast<float>(random >> 8) * 0x1p-24f - 0.5f;
      }
      for (int turn = 0; turn < turns; ++turn) {
        need(stream->copyIn(made.of(turn), numbers.data(), numbers.size() * sizeof(float)));
      }
      wait();
    }
    return made;
  }
  template <class T> DeviceMemory array(const std::vector<T> &host) {
    DeviceMemory made = need(DeviceMemory::allocate(card, host.size() * sizeof(T), "an array"));
    need(stream->copyIn(made.data(), host.data(), host.size() * sizeof(T)));
    wait();
    return made;
  }
  KernelHandle handle(const char *kind, const std::vector<std::int64_t> &numbers) {
    return need(makeHandle({kind, "", static_cast<std::int32_t>(numbers.size()), numbers.data()}, card));
  }
  void wait() { need(stream->wait(stream->ticket())); }

  void time(const Work &work) {
    const auto seconds = [&](int count) {
      const auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < count; ++i) {
        work.run(i);
      }
      wait();
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / count;
    };
    double best = seconds(1);
    if (!tiny) {
      const int count = static_cast<int>(std::clamp(0.01 / best, 1.0, 500.0));
      for (int round = 0; round < 4; ++round) {
        best = std::min(best, seconds(count));
      }
    }
    const double roof = std::max(work.operations / work.peak, work.bytes / roofs.bandwidth);
    std::printf("%-46s %10.1f %10.2f %10.0f %7.0f%%\n", work.name.c_str(), best * 1e6, work.operations / best * 1e-12,
                work.bytes / best * 1e-9, 100 * roof / best);
    std::fflush(stdout);
  }

  void contractions(std::int64_t rows, std::int64_t k, std::int64_t n);
  void packing(const std::vector<std::pair<std::int64_t, std::int64_t>> &weights);
  void attention(std::int64_t records, std::int64_t length, std::int64_t heads, std::int64_t width);
  void convolution(std::int64_t records, std::int64_t length, std::int64_t width, std::int64_t k, std::int64_t n);

private:
  double peakOf(std::int64_t precision) const { return precision == 1 ? roofs.bf16 : roofs.fp32; }
  static const char *nameOf(std::int64_t precision) { return precision == 1 ? "bf16" : "fp32"; }

  const bool tiny;
  const Roofs roofs;
  CudaDevice &card;
  std::unique_ptr<Stream> stream;
  PenstockCall call = {};
};

void Bench::contractions(std::int64_t rows, std::int64_t k, std::int64_t n) {
  const Floats x = floats(rows * k), y = floats(rows * n), w = floats(k * n), dw = floats(k * n), bias = floats(n);
  const std::string shape = " " + std::to_string(rows) + " x " + std::to_string(k) + " x " + std::to_string(n);
  const double size = 2.0 * static_cast<double>(rows * k * n), wide = 4.0 * static_cast<double>(rows * k + rows * n);
  const double weight = static_cast<double>(k * n);
  for (const std::int64_t precision : {1, 0}) {
    const auto p = static_cast<std::int32_t>(precision);
    const KernelHandle forward = handle("matmul", {k, n, 0, n, precision}), back = handle("matmul", {n, k, 1, n, precision});
    const KernelHandle gradient = handle("weight_gradient", {k, n, precision});
    penstock_cuda_pack(&call, forward.get(), w.of(0), p);
    penstock_cuda_pack(&call, back.get(), w.of(0), p);
    const double bytes = wide + weight * (precision == 1 ? 2 : 4);
    time({std::string("matmul ") + nameOf(precision) + shape, size, bytes, peakOf(precision),
          [&](int i) { penstock_cuda_matmul(&call, forward.get(), x.of(i), k, y.of(i), n, rows, nullptr, bias.of(0), 0, p); }});
    time({std::string("matmul transposed ") + nameOf(precision) + shape, size, bytes, peakOf(precision),
          [&](int i) { penstock_cuda_matmul(&call, back.get(), y.of(i), n, x.of(i), k, rows, nullptr, nullptr, 0, p); }});
    time({std::string("weight gradient ") + nameOf(precision) + shape, size, wide + 4 * weight, peakOf(precision),
          [&](int i) { penstock_cuda_weight_gradient(&call, gradient.get(), x.of(i), k, y.of(i), n, rows, nullptr, dw.of(i), p); }});
  }
}

void Bench::packing(const std::vector<std::pair<std::int64_t, std::int64_t>> &weights) {
  std::vector<KernelHandle> handles;
  std::vector<Floats> memory;
  double bytes = 0;
  for (const auto &[k, n] : weights) {
    memory.push_back(floats(k * n));
    handles.push_back(handle("matmul", {k, n, 0, n, 1}));
    bytes += 6.0 * static_cast<double>(k * n);
  }
  const Floats x = floats(64), y = floats(64);
  const KernelHandle last = handle("matmul", {1, 1, 0, 1, 0}); // packing goes before what is enqueued next
  penstock_cuda_pack(&call, last.get(), x.of(0), 0);
  time({"pack " + std::to_string(weights.size()) + " weights and one more launch", 0, bytes, roofs.bf16, [&](int i) {
          for (std::size_t w = 0; w < weights.size(); ++w) {
            penstock_cuda_pack(&call, handles[w].get(), memory[w].of(i), 1);
          }
          penstock_cuda_matmul(&call, last.get(), x.of(0), 1, y.of(0), 1, 1, nullptr, nullptr, 0, 0);
        }});
}

void Bench::attention(std::int64_t records, std::int64_t length, std::int64_t heads, std::int64_t width) {
  const std::int64_t rows = records * length, columns = heads * width;
  std::vector<std::int32_t> starts;
  std::vector<std::uint64_t> numbers;
  for (std::int64_t i = 0; i <= records; ++i) {
    starts.push_back(static_cast<std::int32_t>(i * length));
    numbers.push_back(static_cast<std::uint64_t>(i));
  }
  const DeviceMemory offsets = array(starts), recordNumbers = array(numbers), seed = array(numbers);
  const auto *offsetsAt = static_cast<const std::int32_t *>(offsets.data());
  const auto *numbersAt = static_cast<const std::uint64_t *>(recordNumbers.data()),
             *seedAt = static_cast<const std::uint64_t *>(seed.data());
  const Floats qkv = floats(rows * 3 * columns), out = floats(rows * columns), lse = floats(rows * heads, true),
               dout = floats(rows * columns);
  const Floats dqkv = floats(rows * 3 * columns);
  const double pairs = static_cast<double>(records * length * length * columns), wide = 4.0 * static_cast<double>(rows * columns);
  for (const std::int32_t precision : {1, 0}) {
    for (const float dropout : {0.0f, 0.1f}) {
      const std::string shape = std::string(" ") + nameOf(precision) + " " + std::to_string(records) + " x " + std::to_string(length) +
                                ", " + std::to_string(heads) + " x " + std::to_string(width) + (dropout > 0 ? ", dropout" : "");
      time({"attention" + shape, 4 * pairs, 4 * wide, peakOf(precision), [&](int i) {
              penstock_cuda_attention(&call, qkv.of(i), out.of(i), lse.of(i), offsetsAt, numbersAt, records, nullptr, heads, width, dropout,
                                      seedAt, seedAt, 7, precision);
            }});
      time({"attention gradient" + shape, 10 * pairs, 8 * wide, peakOf(precision), [&](int i) {
              penstock_cuda_attention_grad(&call, qkv.of(i), out.of(i), lse.of(i), dout.of(i), dqkv.of(i), offsetsAt, numbersAt, records,
                                           nullptr, heads, width, dropout, seedAt, seedAt, 7, precision);
            }});
    }
  }
}

void Bench::convolution(std::int64_t records, std::int64_t length, std::int64_t width, std::int64_t k, std::int64_t n) {
  const std::int64_t rows = records * length;
  std::vector<std::int32_t> starts;
  for (std::int64_t i = 0; i <= records; ++i) {
    starts.push_back(static_cast<std::int32_t>(i * length));
  }
  const DeviceMemory offsets = array(starts);
  const auto *at = static_cast<const std::int32_t *>(offsets.data());
  const Floats x = floats(rows * k), y = floats(rows * n), w = floats(width * k * n), dw = floats(width * k * n), top = floats(records * n);
  const Floats places = floats(records * n, true), dx = floats(rows * k);
  const KernelHandle conv = handle("conv1d", {width, k, n});
  penstock_cuda_pack(&call, conv.get(), w.of(0), 0);
  const std::string shape = " " + std::to_string(records) + " x " + std::to_string(length) + ", " + std::to_string(width) + " x " +
                            std::to_string(k) + " x " + std::to_string(n);
  const double size = 2.0 * static_cast<double>(rows * width * k * n), weight = 4.0 * static_cast<double>(width * k * n);
  const double wide = 4.0 * static_cast<double>(rows * (k + n));
  const auto argmax = [&](int i) { return reinterpret_cast<std::int32_t *>(places.of(i)); };
  time({"conv1d" + shape, size, wide + weight, roofs.fp32,
        [&](int i) { penstock_cuda_conv1d(&call, conv.get(), x.of(i), y.of(i), at, records, nullptr, nullptr, 0); }});
  time({"conv1d, gradient of x" + shape, size, wide + weight, roofs.fp32,
        [&](int i) { penstock_cuda_conv1d_input_grad(&call, conv.get(), y.of(i), dx.of(i), at, records, nullptr, 0, 0); }});
  time({"conv1d, gradient of w" + shape, size, wide + weight, roofs.fp32,
        [&](int i) { penstock_cuda_conv1d_weight_grad(&call, conv.get(), x.of(i), y.of(i), at, records, nullptr, dw.of(i), 0); }});
  const double narrow = 4.0 * static_cast<double>(rows * k), ends = 8.0 * static_cast<double>(records * n);
  const double few = 2.0 * static_cast<double>(records * width * k * n);
  time({"conv1d and maximum" + shape, size, narrow + weight + ends, roofs.fp32,
        [&](int i) { penstock_cuda_conv1d_max(&call, conv.get(), x.of(i), at, records, nullptr, nullptr, top.of(i), argmax(i), 0); }});
  time({"conv1d and maximum, gradient of x" + shape, few, narrow + weight + ends, roofs.fp32, [&](int i) {
          penstock_cuda_conv1d_max_input_grad(&call, conv.get(), w.of(i), top.of(i), argmax(i), dx.of(i), at, records, nullptr, 0, 0);
        }});
  time({"conv1d and maximum, gradient of w" + shape, few, narrow + weight + ends, roofs.fp32, [&](int i) {
          penstock_cuda_conv1d_max_weight_grad(&call, conv.get(), x.of(i), top.of(i), argmax(i), at, records, nullptr, dw.of(i), 0);
        }});
}

void runAll(Bench &bench, bool small) {
  if (small) {
    bench.contractions(17, 20, 24);
    bench.packing({{20, 24}, {24, 70}});
    bench.attention(2, 5, 2, 16);
    bench.convolution(2, 5, 3, 8, 4);
    return;
  }
  for (const std::int64_t rows : {1136, 139}) { // 16 reviews, 16 work orders: BERT-base
    for (const auto &[k, n] : std::vector<std::pair<std::int64_t, std::int64_t>>{{768, 768}, {768, 2304}, {768, 3072}, {3072, 768}}) {
      bench.contractions(rows, k, n);
    }
  }
  for (const auto &[k, n] : std::vector<std::pair<std::int64_t, std::int64_t>>{{384, 384}, {384, 1536}, {1536, 384}}) { // MiniLM
    bench.contractions(1136, k, n);
  }
  bench.contractions(4544, 768, 3072); // 64 reviews
  bench.contractions(16, 768, 3);      // a head
  std::vector<std::pair<std::int64_t, std::int64_t>> layers;
  for (int layer = 0; layer < 12; ++layer) {
    layers.insert(layers.end(), {{768, 2304}, {768, 768}, {768, 3072}, {3072, 768}});
  }
  bench.packing(layers);
  bench.attention(16, 71, 12, 64);
  bench.attention(16, 9, 12, 64);
  bench.attention(16, 71, 12, 32);
  bench.attention(8, 512, 12, 64);
  bench.attention(1, 4096, 12, 64);
  bench.attention(8, 512, 6, 128);
  bench.convolution(64, 40, 3, 128, 128);
  bench.convolution(64, 200, 5, 300, 100);
}

} // namespace

int main(int count, char **arguments) {
  bool small = false;
  Roofs roofs;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (name == "--small") {
      small = true;
      continue;
    }
    double *const to = name == "--bandwidth" ? &roofs.bandwidth : name == "--fp32" ? &roofs.fp32 : name == "--bf16" ? &roofs.bf16 : nullptr;
    if (to == nullptr || i + 1 == count) {
      std::fprintf(stderr, "usage: cuda_kernels_bench [--small] [--bandwidth GB/s] [--fp32 TFLOP/s] [--bf16 TFLOP/s]\n");
      return 2;
    }
    *to = std::atof(arguments[++i]) * (name == "--bandwidth" ? 1e9 : 1e12);
  }
  Bench bench(small, roofs);
  runAll(bench, small);
  return 0;
}
