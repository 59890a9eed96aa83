// Tables of the kernels' speed: best of many repetitions, on a machine that may be busy with other
// things.
//
//   kernels_bench [matmul|bert|blocks|gradient|conv|attention|embedding|dropout|pool|pack]...
#include "runtime/device/thread_pool.h"
#include "runtime/kernels/handles.h"
#include "runtime/kernels/kernels.h"

#ifdef PENSTOCK_BENCH_ONEDNN
#include <dnnl.h>
#endif
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace penstock;

double secondsOf(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// PENSTOCK_BENCH_CPU=1 times by the calling thread's processor time: right for one thread on a
/// machine that is shared, meaningless for two.
const clockid_t benchClock = std::getenv("PENSTOCK_BENCH_CPU") != nullptr ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;

/// Seconds of the fastest run, over about `budget` seconds.
double best(const std::function<void()> &run, double budget = 0.15) {
  run();
  double fastest = 1e9, spent = 0;
  int inner = 1;
  while (spent < budget) {
    const double begin = secondsOf(benchClock);
    for (int i = 0; i < inner; ++i) {
      run();
    }
    const double took = secondsOf(benchClock) - begin;
    spent += took;
    fastest = std::min(fastest, took / inner);
    if (took < 50e-6) {
      inner *= 2;
    }
  }
  return fastest;
}

/// Seconds of `pieces` calls of run(piece) one after another: the fastest of each piece, so that an
/// interruption spoils one piece of one round only.
double bestOfPieces(std::int64_t pieces, const std::function<void(std::int64_t)> &run, double budget = 0.25) {
  std::vector<double> fastest(static_cast<std::size_t>(pieces), 1e9);
  double spent = 0;
  for (int round = 0; round < 4 || spent < budget; ++round) {
    for (std::int64_t i = 0; i < pieces; ++i) {
      const double begin = secondsOf(benchClock);
      run(i);
      const double took = secondsOf(benchClock) - begin;
      spent += took;
      fastest[static_cast<std::size_t>(i)] = std::min(fastest[static_cast<std::size_t>(i)], took);
    }
  }
  double sum = 0;
  for (const double seconds : fastest) {
    sum += seconds;
  }
  return sum;
}

std::vector<float> numbers(std::int64_t count) {
  static std::mt19937 engine(7);
  std::uniform_real_distribution<float> some(-1, 1);
  std::vector<float> all(static_cast<std::size_t>(count));
  for (float &x : all) {
    x = some(engine);
  }
  return all;
}

std::unique_ptr<ThreadPool> poolOf(int threads) {
  auto made = ThreadPool::create(threads);
  return made.ok() ? std::move(made).value() : nullptr;
}

/// The kernels of the machine's level.
const LevelKernels &own() {
  const auto level = machineLevel();
  return levelTable(level.ok() ? *level : Level::avx2).kernels;
}

KernelHandle handleOf(const char *kernel, std::vector<std::int64_t> attributes, const char *force = "packed") {
  const auto level = machineLevel();
  const PenstockDispatch dispatch = {kernel, "", static_cast<std::int32_t>(attributes.size()), attributes.data()};
  auto made = makeKernelHandle(dispatch, level.ok() ? *level : Level::avx2, force);
  if (!made.ok()) {
    std::fprintf(stderr, "%s\n", made.status().message().c_str());
    std::exit(1);
  }
  return std::move(made).value();
}

struct MatmulRun {
  void *handle;
  const float *x;
  float *y;
  std::int64_t k, n;
};
void matmulBody(void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
  const auto &run = *static_cast<const MatmulRun *>(context);
  penstock_matmul(run.handle, run.x + begin * run.k, run.k, run.y + begin * run.n, run.n, end - begin, nullptr, 0);
}

const std::int64_t shapes[][2] = {{128, 128}, {128, 384}, {128, 512}, {512, 128}, {384, 1536}, {768, 3072}, {3072, 768}};

void benchMatmul() {
  const auto one = poolOf(1), two = poolOf(2);
  std::printf("matmul, GFLOP/s; rows in pieces of 96 where threads share them\n%6s %6s %6s %9s %9s "
              "%9s %9s %9s\n",
              "rows", "k", "n", "ours 1", "ours 2", "onednn 1", "onednn 2", "sgemm 1");
  for (const auto &shape : shapes) {
    const std::int64_t k = shape[0], n = shape[1];
    const auto w = numbers(k * n);
    for (const std::int64_t rows : {6, 64, 256, 2100}) {
      const auto x = numbers(rows * k);
      std::vector<float> y(static_cast<std::size_t>(rows * n));
      const double work = 2e-9 * static_cast<double>(rows * k * n);
      std::printf("%6ld %6ld %6ld", rows, k, n);
      for (const char *force : {"packed", "onednn"}) {
        const KernelHandle handle = handleOf("matmul", {k, n, 0, n, 0}, force);
        penstock_pack(handle.get(), w.data(), one.get());
        MatmulRun run = {handle.get(), x.data(), y.data(), k, n};
        std::printf(" %9.1f", work / bestOfPieces((rows + 95) / 96,
                                                  [&](std::int64_t i) { matmulBody(&run, i * 96, std::min(rows, (i + 1) * 96), 0); }));
        std::printf(" %9.1f", work / best([&] { two->parallelFor(matmulBody, &run, rows, 96); }));
      }
#ifdef PENSTOCK_BENCH_ONEDNN
      std::printf(" %9.1f", work / best([&] { dnnl_sgemm('N', 'N', rows, n, k, 1.0f, x.data(), k, w.data(), n, 0.0f, y.data(), n); }));
#endif
      std::printf("\n");
    }
  }
}

void benchBlocks() {
  const auto one = poolOf(1);
  std::printf("matmul, GFLOP/s, one thread, 2304 rows in blocks of\n%6s %6s", "k", "n");
  const std::int64_t blocks[] = {6, 12, 24, 48, 64, 96, 128, 192, 256, 384};
  for (const std::int64_t block : blocks) {
    std::printf(" %6ld", block);
  }
  std::printf("\n");
  for (const auto &shape : shapes) {
    const std::int64_t k = shape[0], n = shape[1], rows = 2304;
    const auto w = numbers(k * n), x = numbers(rows * k);
    std::vector<float> y(static_cast<std::size_t>(rows * n));
    const KernelHandle handle = handleOf("matmul", {k, n, 0, n, 0});
    penstock_pack(handle.get(), w.data(), one.get());
    MatmulRun run = {handle.get(), x.data(), y.data(), k, n};
    std::printf("%6ld %6ld", k, n);
    for (const std::int64_t block : blocks) {
      std::printf(" %6.1f", 2e-9 * static_cast<double>(rows * k * n) /
                                bestOfPieces(rows / block, [&](std::int64_t i) { matmulBody(&run, i * block, (i + 1) * block, 0); }));
    }
    std::printf("\n");
  }
}

/// The shapes of BERT: a step's matmuls with plain and with transposed weights, and its weight
/// gradients, in GFLOP/s of one thread; one step of short texts (140 rows) and one of long ones.
void benchBert() {
  const auto one = poolOf(1);
  const std::int64_t bert[][2] = {{384, 1152}, {384, 384}, {384, 1536}, {1536, 384}, {768, 2304}, {768, 3072}, {3072, 768}};
  std::printf("BERT's shapes, GFLOP/s, one thread, rows in blocks of 48\n%6s %6s %6s %9s %9s %9s %9s %9s\n", "rows", "k", "n", "forward",
              "blocks 96", "d input", "d weight", "pack us");
  for (const auto &shape : bert) {
    const std::int64_t k = shape[0], n = shape[1];
    const auto w = numbers(k * n);
    for (const std::int64_t rows : {140, 1136}) {
      const auto x = numbers(rows * k), dy = numbers(rows * n);
      std::vector<float> y(dy.size()), dx(x.size()), dw(w.size()), scratch(static_cast<std::size_t>(rows * (k + n + 64) + 4096));
      const double work = 2e-9 * static_cast<double>(rows * k * n);
      const KernelHandle plain = handleOf("matmul", {k, n, 0, n, 0});
      const KernelHandle flipped = handleOf("matmul", {n, k, 1, n, 0});
      const KernelHandle gradient = handleOf("weight_gradient", {k, n, 0});
      penstock_pack(plain.get(), w.data(), one.get());
      penstock_pack(flipped.get(), w.data(), one.get());
      MatmulRun forward = {plain.get(), x.data(), y.data(), k, n};
      MatmulRun backward = {flipped.get(), dy.data(), dx.data(), n, k};
      const auto inBlocks = [&](MatmulRun &run, std::int64_t block) {
        return work / bestOfPieces((rows + block - 1) / block,
                                   [&](std::int64_t i) { matmulBody(&run, i * block, std::min(rows, (i + 1) * block), 0); });
      };
      std::printf("%6ld %6ld %6ld %9.1f %9.1f %9.1f", rows, k, n, inBlocks(forward, 48), inBlocks(forward, 96), inBlocks(backward, 48));
      std::printf(" %9.1f", work / best([&] {
                              penstock_weight_gradient(gradient.get(), one.get(), x.data(), k, dy.data(), n, rows, dw.data(),
                                                       scratch.data());
                            }));
      std::printf(" %9.1f\n", 1e6 * best([&] {
                                penstock_pack(plain.get(), w.data(), one.get());
                                penstock_pack(flipped.get(), w.data(), one.get());
                              }));
    }
  }
}

void benchGradient() {
  const auto one = poolOf(1), two = poolOf(2);
  std::printf("weight gradient, GFLOP/s, packing counted\n%6s %6s %6s %9s %9s\n", "rows", "k", "n", "ours 1", "ours 2");
  for (const auto &shape : shapes) {
    const std::int64_t k = shape[0], n = shape[1];
    for (const std::int64_t rows : {64, 256, 2100}) {
      const auto x = numbers(rows * k), dy = numbers(rows * n);
      std::vector<float> dw(static_cast<std::size_t>(k * n)), scratch(static_cast<std::size_t>(rows * (k + n + 64) + 4096));
      const KernelHandle handle = handleOf("weight_gradient", {k, n, 0});
      std::printf("%6ld %6ld %6ld", rows, k, n);
      for (ThreadPool *pool : {one.get(), two.get()}) {
        std::printf(" %9.1f", 2e-9 * static_cast<double>(rows * k * n) / best([&] {
                                penstock_weight_gradient(handle.get(), pool, x.data(), k, dy.data(), n, rows, dw.data(), scratch.data());
                              }));
      }
      std::printf("\n");
    }
  }
}

std::vector<std::int32_t> offsetsOf(std::int64_t records, int around) {
  static std::mt19937 engine(5);
  std::uniform_int_distribution<int> some(around - around / 3, around + around / 3);
  std::vector<std::int32_t> offsets = {0};
  for (std::int64_t r = 0; r < records; ++r) {
    offsets.push_back(offsets.back() + some(engine));
  }
  return offsets;
}

struct Records {
  std::function<void(std::int64_t, std::int64_t, float *)> run;
  std::vector<std::vector<float>> scratch = std::vector<std::vector<float>>(2, std::vector<float>(PENSTOCK_SCRATCH_FLOATS));
};
void recordsBody(void *context, std::int64_t begin, std::int64_t end, std::int32_t worker) {
  auto &records = *static_cast<Records *>(context);
  records.run(begin, end, records.scratch[static_cast<std::size_t>(worker)].data());
}

void printRecords(ThreadPool *two, std::int64_t count, double work, const std::function<void(std::int64_t, std::int64_t, float *)> &run) {
  Records records{run};
  std::printf(" %8.1f", work / bestOfPieces(count, [&](std::int64_t r) { recordsBody(&records, r, r + 1, 0); }));
  std::printf(" %8.1f", work / best([&] { two->parallelFor(recordsBody, &records, count, 1); }));
}

void benchConv() {
  const auto one = poolOf(1), two = poolOf(2);
  std::printf("conv1d 128 -> 100, 32 records, GFLOP/s (dense count; max gradients: us), 1 and 2 threads\n"
              "%6s %6s %17s %17s %17s %17s %17s %17s\n",
              "length", "width", "forward", "with max", "d input", "d weight", "max d input us", "max d weight us");
  for (const int length : {65, 6}) {
    for (const std::int64_t width : {3, 4, 5}) {
      const std::int64_t records = 32, k = 128, n = 100;
      const auto offsets = offsetsOf(records, length);
      const std::int64_t rows = offsets.back();
      const auto w = numbers(width * k * n), x = numbers(rows * k), dy = numbers(rows * n), g = numbers(records * n);
      std::vector<float> y(dy.size()), dx(x.size()), dw(w.size()), top(g.size()),
          room(static_cast<std::size_t>(rows * (k + n + 64) + 4096));
      std::vector<std::int32_t> at(g.size());
      const KernelHandle handle = handleOf("conv1d", {width, k, n});
      penstock_pack(handle.get(), w.data(), one.get());
      const double work = 2e-9 * static_cast<double>(rows * width * k * n);
      std::printf("%6d %6ld", length, width);
      printRecords(two.get(), records, work, [&](std::int64_t b, std::int64_t e, float *s) {
        penstock_conv1d(handle.get(), x.data(), y.data(), offsets.data(), b, e, nullptr, s);
      });
      printRecords(two.get(), records, work, [&](std::int64_t b, std::int64_t e, float *s) {
        penstock_conv1d_max(handle.get(), x.data(), offsets.data(), b, e, nullptr, top.data(), at.data(), s);
      });
      printRecords(two.get(), records, work, [&](std::int64_t b, std::int64_t e, float *s) {
        penstock_conv1d_input_grad(handle.get(), dy.data(), dx.data(), offsets.data(), b, e, 0, s);
      });
      for (ThreadPool *pool : {one.get(), two.get()}) {
        std::printf(" %8.1f", work / best([&] {
                                penstock_conv1d_weight_grad(handle.get(), pool, x.data(), dy.data(), offsets.data(), records, dw.data(),
                                                            room.data());
                              }));
      }
      Records sparse{[&](std::int64_t b, std::int64_t e, float *) {
        penstock_conv1d_max_input_grad(handle.get(), w.data(), g.data(), at.data(), dx.data(), offsets.data(), b, e, 0);
      }};
      for (ThreadPool *pool : {one.get(), two.get()}) {
        std::printf(" %8.1f", 1e6 * best([&] { pool->parallelFor(recordsBody, &sparse, records, 1); }));
      }
      for (ThreadPool *pool : {one.get(), two.get()}) {
        std::printf(" %8.1f", 1e6 * best([&] {
                                penstock_conv1d_max_weight_grad(handle.get(), pool, x.data(), g.data(), at.data(), offsets.data(), records,
                                                                dw.data());
                              }));
      }
      std::printf("\n");
    }
  }
}

void benchAttention() {
  const auto two = poolOf(2);
  std::printf("attention, us a batch of 32 records and ns a (query, key, head), 1 and 2 threads\n"
              "%6s %6s %6s %6s %26s %26s\n",
              "length", "heads", "width", "drop", "forward", "backward");
  const std::int64_t configurations[][2] = {{4, 32}, {12, 32}, {12, 64}};
  for (const int length : {9, 71, 100, 128, 512}) {
    for (const auto &configuration : configurations) {
      for (const float dropout : {0.0f, 0.1f}) {
        const std::int64_t records = length > 200 ? 4 : 32, heads = configuration[0], width = configuration[1];
        const auto offsets = offsetsOf(records, length);
        const std::int64_t rows = offsets.back();
        const auto qkv = numbers(rows * 3 * heads * width), dout = numbers(rows * heads * width);
        std::vector<float> out(dout.size()), lse(static_cast<std::size_t>(rows * heads)), dqkv(qkv.size());
        std::vector<std::uint64_t> names(static_cast<std::size_t>(records), 77);
        double pairs = 0;
        for (std::int64_t r = 0; r < records; ++r) {
          const double l = offsets[static_cast<std::size_t>(r + 1)] - offsets[static_cast<std::size_t>(r)];
          pairs += l * l * static_cast<double>(heads);
        }
        std::printf("%6d %6ld %6ld %6.1f", length, heads, width, static_cast<double>(dropout));
        Records forward{[&](std::int64_t b, std::int64_t e, float *s) {
          own().attention(qkv.data(), out.data(), lse.data(), offsets.data(), names.data(), b, e, heads, width, dropout, 1, 2, 3, s);
        }};
        Records backward{[&](std::int64_t b, std::int64_t e, float *s) {
          own().attention_grad(qkv.data(), out.data(), lse.data(), dout.data(), dqkv.data(), offsets.data(), names.data(), b, e, heads,
                               width, dropout, 1, 2, 3, s);
        }};
        for (Records *direction : {&forward, &backward}) {
          const double single = bestOfPieces(records, [&](std::int64_t r) { recordsBody(direction, r, r + 1, 0); });
          const double both = best([&] { two->parallelFor(recordsBody, direction, records, 1); });
          std::printf(" %9.1f %8.1f %7.2f", single * 1e6, both * 1e6, single * 1e9 / pairs);
        }
        std::printf("\n");
      }
    }
  }
}

void benchEmbedding() {
  const auto one = poolOf(1), two = poolOf(2);
  std::printf("embedding gradient and bag sum, us, 1 and 2 threads\n%6s %10s %6s %17s %17s\n", "rows", "vocabulary", "width", "gradient",
              "bag sum");
  const std::int64_t sizes[][3] = {{2000, 8000, 2},   {2000, 20000, 2},   {200, 5000, 128},
                                   {2100, 8000, 128}, {2100, 30522, 384}, {1136, 30522, 768}};
  for (const auto &size : sizes) {
    const std::int64_t records = 32, vocabulary = size[1], width = size[2];
    const auto offsets = offsetsOf(records, static_cast<int>(size[0] / records));
    const std::int64_t rows = offsets.back();
    std::mt19937 engine(3);
    std::exponential_distribution<double> zipf(12.0);
    std::vector<std::int32_t> ids, source;
    for (std::int64_t i = 0; i < rows; ++i) {
      ids.push_back(static_cast<std::int32_t>(std::min(zipf(engine), 0.999) * static_cast<double>(vocabulary)));
      source.push_back(static_cast<std::int32_t>(i * records / rows));
    }
    const auto dy = numbers(rows * width), table = numbers(vocabulary * width);
    std::vector<float> dtable(table.size()), scratch(static_cast<std::size_t>(rows + vocabulary + 4096)),
        y(static_cast<std::size_t>(records * width));
    std::printf("%6ld %10ld %6ld", rows, vocabulary, width);
    for (ThreadPool *pool : {one.get(), two.get()}) {
      std::printf(" %8.1f", 1e6 * best([&] {
                              own().embedding_grad(pool, ids.data(), width == 2 ? source.data() : nullptr, dy.data(), rows, width,
                                                   vocabulary, dtable.data(), scratch.data());
                            }));
    }
    Records bag{
        [&](std::int64_t b, std::int64_t e, float *) { own().bag_sum(table.data(), ids.data(), offsets.data(), b, e, width, y.data()); }};
    for (ThreadPool *pool : {one.get(), two.get()}) {
      std::printf(" %8.1f", 1e6 * best([&] { pool->parallelFor(recordsBody, &bag, records, 8); }));
    }
    std::printf("\n");
  }
}

void benchDropout() {
  std::printf("dropout multipliers, ns an element\n%6s %9s\n", "width", "row");
  for (const std::int64_t width : {64, 100, 128, 384, 1536}) {
    std::vector<float> row(static_cast<std::size_t>(width));
    std::printf("%6ld %9.3f\n", width,
                1e9 / static_cast<double>(width) * best([&] { own().dropout_row(row.data(), width, 3, 4, 5, 6, 7, 0.1f); }));
  }
}

void benchPool() {
  std::printf("empty parallelFor of 8 pieces, us\n%7s %9s\n", "threads", "dispatch");
  for (const int threads : {1, 2}) {
    const auto pool = poolOf(threads);
    std::printf("%7d %9.3f\n", threads,
                1e6 * best([&] { pool->parallelFor([](void *, std::int64_t, std::int64_t, std::int32_t) {}, nullptr, 8, 1); }));
  }
}

void benchPack() {
  const auto one = poolOf(1), two = poolOf(2);
  std::printf("packing a weight, us, 1 and 2 threads\n%6s %6s %17s %17s\n", "k", "n", "plain", "transposed");
  for (const auto &shape : shapes) {
    const auto w = numbers(shape[0] * shape[1]);
    std::printf("%6ld %6ld", shape[0], shape[1]);
    for (const std::int64_t transposed : {0, 1}) {
      const KernelHandle handle = handleOf("matmul", {shape[0], shape[1], transposed, transposed != 0 ? shape[0] : shape[1], 0});
      for (ThreadPool *pool : {one.get(), two.get()}) {
        std::printf(" %8.1f", 1e6 * best([&] { penstock_pack(handle.get(), w.data(), pool); }));
      }
    }
    std::printf("\n");
  }
}

/// The core's peak, at this moment: chains of multiply-adds in registers.
__attribute__((target("avx2,fma"))) double peak() {
  typedef float V __attribute__((ext_vector_type(8)));
  const double seconds = best(
      []() __attribute__((target("avx2,fma"))) {
        V sums[12] = {}, a = 1.0000001f, b = 0.9999999f;
        for (int i = 0; i < 20000; ++i) {
#pragma clang loop unroll(full)
          for (V &sum : sums) {
            sum = __builtin_elementwise_fma(a, b, sum);
            __asm__ volatile("" : "+x"(sum));
          }
        }
      },
      0.1);
  return 20000 * 12 * 16 / seconds * 1e-9;
}

} // namespace

int main(int argumentCount, char **arguments) {
  if (auto *one = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) {
    one(1);
  }
  const struct {
    const char *name;
    void (*run)();
  } all[] = {{"matmul", benchMatmul},       {"bert", benchBert},
             {"blocks", benchBlocks},       {"gradient", benchGradient},
             {"conv", benchConv},           {"attention", benchAttention},
             {"embedding", benchEmbedding}, {"dropout", benchDropout},
             {"pool", benchPool},           {"pack", benchPack}};
  std::printf("AVX2 peak of a core now: %.1f GFLOP/s\n", peak());
  for (const auto &bench : all) {
    bool wanted = argumentCount == 1;
    for (int i = 1; i < argumentCount; ++i) {
      wanted = wanted || std::strcmp(arguments[i], bench.name) == 0;
    }
    if (wanted) {
      bench.run();
      std::printf("\n");
    }
  }
  return 0;
}
