// What crosses threads, against what the documentation of PTX says of it, in all schedules; and that mistakes end a process.
#include "runtime/cuda/kernels/device.h"
#include "tests/cuda/emulator/emulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

using namespace penstock::emulator;

namespace {

constexpr Schedule schedules[] = {Schedule::up, Schedule::down, Schedule::mixed};

void runAll(const Launch &launch, Schedule schedule, const std::function<void()> &body) {
  run(
      launch, schedule, [](void *context) { (*static_cast<const std::function<void()> *>(context))(); },
      const_cast<std::function<void()> *>(&body));
}

Launch blocks(int grid, int threads, std::size_t shared = 0) {
  Launch launch;
  launch.grid[0] = grid;
  launch.threads = threads;
  launch.sharedBytes = shared;
  launch.name = "probe";
  return launch;
}

KERNEL(256, thread_sums, (const float *x, float *y, i64 count)) {
  SHARED(float, sums, 8);
  const i64 i = (i64)blockX() * blockThreads() + threadX();
  const float sum = warpSum(i < count ? x[i] : 0.0f);
  if (laneX() == 0) {
    sums[warpX()] = sum;
  }
  syncBlock();
  if (threadX() == 0) {
    float all = 0;
    for (int w = 0; w < blockThreads() / 32; ++w) {
      all += sums[w];
    }
    y[blockX()] = all;
  }
}

/// c[16 x 8] = a[16 x 16] . b[8 x 16]^T, from bf16 rows.
KERNEL(32, tile_product, (const u32 *a, const u32 *b, float *c)) {
  DYNAMIC_SHARED(shared);
  u32 *const tile = (u32 *)shared, *const other = tile + 16 * 8;
  const int lane = laneX();
  copyAsync(tile + lane * 4, a + lane * 4, true);
  copyAsync(other + lane % 16 * 4, b + lane % 16 * 4, true);
  commitCopies();
  waitCopies<0>();
  syncWarp();
  u32 left[4], right[4];
  loadMatrix4(left, tile + lane % 16 * 8 + lane / 16 * 4);
  loadMatrix4(right, other + lane % 8 * 8 + lane / 8 % 2 * 4);
  float d[4] = {0, 0, 0, 0};
  mma(d, left, right);
  const int g = lane / 4, q = lane % 4;
  for (int e = 0; e < 4; ++e) {
    c[(g + e / 2 * 8) * 8 + 2 * q + e % 2] = d[e];
  }
}

std::vector<float> normal(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> all(count);
  for (float &x : all) {
    x = distribution(random);
  }
  return all;
}

} // namespace

TEST(Emulator, ShufflesBarriersAndSharedMemory) {
  for (const int threads : {32, 64, 256}) {
    const std::vector<float> x = normal(static_cast<std::size_t>(5 * threads - 7), 3);
    std::vector<float> first;
    for (const Schedule schedule : schedules) {
      std::vector<float> y(5, NAN);
      runAll(blocks(5, threads), schedule, [&] { thread_sums(x.data(), y.data(), static_cast<i64>(x.size())); });
      for (int block = 0; block < 5; ++block) {
        double sum = 0;
        for (int i = block * threads; i < std::min<int>((block + 1) * threads, static_cast<int>(x.size())); ++i) {
          sum += x[static_cast<std::size_t>(i)];
        }
        EXPECT_NEAR(y[static_cast<std::size_t>(block)], sum, 1e-4);
      }
      first = first.empty() ? y : first;
      EXPECT_EQ(first, y);
    }
  }
}

TEST(Emulator, ABlockThatIsNoMultipleOfAWarp) {
  for (const Schedule schedule : schedules) {
    std::vector<int> seen(3 * 71, 0);
    runAll(blocks(3, 71), schedule, [&] {
      seen[static_cast<std::size_t>(blockX() * 71 + threadX())] += 1;
      syncBlock();
      seen[static_cast<std::size_t>(blockX() * 71 + 70 - threadX())] += 10;
    });
    EXPECT_EQ(seen, std::vector<int>(3 * 71, 11));
  }
}

TEST(Emulator, TensorCores) {
  std::vector<float> a = normal(16 * 16, 5), b = normal(8 * 16, 7);
  std::vector<u32> packedA, packedB;
  const auto pack = [](std::vector<float> &all, std::vector<u32> &packed) {
    for (std::size_t i = 0; i < all.size(); i += 2) {
      packed.push_back(packBf16(all[i], all[i + 1]));
      all[i] = bf16Low(packed.back());
      all[i + 1] = bf16High(packed.back());
    }
  };
  pack(a, packedA);
  pack(b, packedB);
  // Aligned as asynchronous copies want it.
  alignas(16) u32 left[128], right[64];
  std::copy(packedA.begin(), packedA.end(), left);
  std::copy(packedB.begin(), packedB.end(), right);
  for (const Schedule schedule : schedules) {
    std::vector<float> c(16 * 8, NAN);
    runAll(blocks(1, 32, 16 * 32 + 8 * 32), schedule, [&] { tile_product(left, right, c.data()); });
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::size_t j = 0; j < 8; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < 16; ++k) {
          sum += static_cast<double>(a[i * 16 + k]) * b[j * 16 + k];
        }
        EXPECT_NEAR(c[i * 8 + j], sum, 1e-5);
      }
    }
  }
}

TEST(Emulator, RegistersKernelsByName) {
  EXPECT_NE(findKernel("tile_product", false), nullptr);
  EXPECT_EQ(findKernel("tile_product", true), nullptr);
  EXPECT_EQ(findKernel("no_such", false), nullptr);
}

TEST(EmulatorDeathTest, Mistakes) {
  const auto body = [](const std::function<void()> &what, Schedule schedule = Schedule::up) { runAll(blocks(1, 64, 64), schedule, what); };
  EXPECT_DEATH(body([] {
                 if (threadX() < 40) {
                   syncBlock();
                 }
               }),
               "a barrier that some threads do not reach");
  EXPECT_DEATH(body([] {
                 if (laneX() != 3) {
                   syncWarp();
                 }
               }),
               "a collective without some threads of its warp");
  EXPECT_DEATH(body([] {
                 if (laneX() == 3) {
                   syncBlock();
                 } else {
                   syncWarp();
                 }
               }),
               "a barrier or collective that not all threads reach");
  EXPECT_DEATH(body([] {
                 if (laneX() == 3) {
                   syncWarp();
                 } else {
                   (void)shuffleXor(1.0f, 1);
                 }
               }),
               "threads of a warp are at different collectives");
  EXPECT_DEATH(body([] {
                 alignas(16) static unsigned char from[32];
                 copyAsync(emulated_dynamic_shared(), from + 4, true);
               }),
               "not a multiple of its size");
}

TEST(Emulator, ACopyThatIsNotWaitedForIsNotThere) {
  alignas(16) static const float from[4] = {1, 2, 3, 4};
  float seen[2] = {0, 0};
  for (const Schedule schedule : {Schedule::up, Schedule::down}) {
    runAll(blocks(1, 1, 16), schedule, [&] {
      copyAsync(emulated_dynamic_shared(), from, true);
      commitCopies();
      seen[static_cast<int>(schedule)] = *reinterpret_cast<const float *>(emulated_dynamic_shared());
      waitCopies<0>();
    });
  }
  EXPECT_TRUE(std::isnan(seen[0]));
  EXPECT_EQ(seen[1], 1);
}
