#include "runtime/base/cores.h"
#include "runtime/device/thread_pool.h"
#include "tests/unit/allocations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace penstock {
namespace {

struct Coverage {
  std::vector<std::atomic<int>> seen;
  std::int64_t grain;
  int workers;
  std::atomic<bool> wrong{false};
};

void cover(void *context, std::int64_t begin, std::int64_t end, std::int32_t worker) {
  auto &coverage = *static_cast<Coverage *>(context);
  if (begin % coverage.grain != 0 || end - begin > coverage.grain || begin >= end || worker < 0 || worker >= coverage.workers) {
    coverage.wrong = true;
  }
  for (std::int64_t i = begin; i < end; ++i) {
    coverage.seen[static_cast<std::size_t>(i)].fetch_add(1);
  }
}

TEST(ThreadPool, runsEveryPieceOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    auto made = ThreadPool::create(threads, threads); // all of them at once, whatever the machine has
    ASSERT_TRUE(made.ok());
    ThreadPool &pool = **made;
    EXPECT_EQ(pool.workers(), threads);
    for (const std::int64_t count : {0, 1, 2, 5, 97, 1009}) {
      for (const std::int64_t grain : {1, 3, 64, 5000}) {
        Coverage coverage{std::vector<std::atomic<int>>(static_cast<std::size_t>(count)), grain, threads};
        pool.parallelFor(cover, &coverage, count, grain);
        EXPECT_FALSE(coverage.wrong);
        for (const auto &times : coverage.seen) {
          ASSERT_EQ(times.load(), 1);
        }
      }
    }
  }
}

TEST(ThreadPool, survivesManySmallJobsAndPauses) {
  for (const int cores : {5, 4, 2, 1}) {
    auto made = ThreadPool::create(5, cores);
    ASSERT_TRUE(made.ok());
    std::atomic<std::int64_t> sum{0};
    const auto add = [](void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
      for (std::int64_t i = begin; i < end; ++i) {
        static_cast<std::atomic<std::int64_t> *>(context)->fetch_add(i);
      }
    };
    std::int64_t expected = 0;
    for (int job = 0; job < 12000; ++job) {
      const std::int64_t count = 1 + job % 13;
      (*made)->parallelFor(add, &sum, count, 1 + job % 3);
      expected += count * (count - 1) / 2;
      ASSERT_EQ(sum.load(), expected) << cores << " cores";
      if (job % 3000 == 0) { // long enough that the threads park
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    }
  }
}

TEST(ThreadPool, runsAtMostAsManyThreadsAsCores) {
  for (const int cores : {1, 2, 3}) {
    auto made = ThreadPool::create(61, cores);
    ASSERT_TRUE(made.ok());
    EXPECT_EQ((*made)->workers(), 61);
    struct Crowd {
      std::atomic<int> inside{0}, most{0}, pieces{0};
      std::atomic<bool> wrong{false};
    } crowd;
    for (int job = 0; job < 300; ++job) {
      (*made)->parallelFor(
          [](void *context, std::int64_t, std::int64_t, std::int32_t worker) {
            auto &c = *static_cast<Crowd *>(context);
            const int now = c.inside.fetch_add(1) + 1;
            for (int most = c.most.load(); most < now && !c.most.compare_exchange_weak(most, now);) {
            }
            c.wrong = c.wrong || worker < 0 || worker >= 61;
            for (volatile int i = 0; i < 2000; i = i + 1) {
            }
            c.inside.fetch_sub(1);
            c.pieces.fetch_add(1);
          },
          &crowd, 97, 1);
      if (job % 50 == 0) { // long enough that the threads park, so that others wake
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    }
    EXPECT_LE(crowd.most.load(), cores);
    EXPECT_EQ(crowd.pieces.load(), 300 * 97);
    EXPECT_FALSE(crowd.wrong);
  }
}

/// What 2000 small jobs cost: context switches, and processor time in seconds.
struct Cost {
  long switches = 0;
  double seconds = 0;
};

Cost costOf(int threads) {
  auto made = ThreadPool::create(threads);
  EXPECT_TRUE(made.ok());
  const auto used = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval &t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
    return Cost{usage.ru_nvcsw + usage.ru_nivcsw, seconds(usage.ru_utime) + seconds(usage.ru_stime)};
  };
  std::vector<float> numbers(1 << 14, 1.0f);
  const Cost before = used();
  for (int job = 0; job < 2000; ++job) {
    (*made)->parallelFor(
        [](void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
          auto &all = *static_cast<std::vector<float> *>(context);
          for (std::int64_t i = begin; i < end; ++i) {
            all[static_cast<std::size_t>(i)] = all[static_cast<std::size_t>(i)] * 0.999f + 0.5f;
          }
        },
        &numbers, 1 << 14, 1 << 8);
  }
  const Cost after = used();
  return {after.switches - before.switches, after.seconds - before.seconds};
}

TEST(ThreadPool, costsNoMoreWithMoreThreadsThanCores) {
  const int cores = usableCores();
  const Cost few = costOf(cores), many = costOf(cores * 32);
  EXPECT_LT(many.switches, 4 * few.switches + 4000);
  EXPECT_LT(many.seconds, 3 * few.seconds + 0.2);
}

TEST(ThreadPool, allocatesNothingInAJob) {
  if (!countsAllocations) {
    GTEST_SKIP() << "a sanitizer counts for itself";
  }
  auto made = ThreadPool::create(3);
  ASSERT_TRUE(made.ok());
  Coverage coverage{std::vector<std::atomic<int>>(1000), 7, 3};
  (*made)->parallelFor(cover, &coverage, 1000, 7);
  const long before = allocations.load();
  for (int i = 0; i < 100; ++i) {
    (*made)->parallelFor(cover, &coverage, 1000, 7);
  }
  EXPECT_EQ(allocations.load(), before);
}

TEST(ThreadPool, flushesDenormalsInsideAndRestoresOutside) {
  auto made = ThreadPool::create(4);
  ASSERT_TRUE(made.ok());
  struct Products {
    volatile float tiny = 1e-30f;
    std::atomic<int> kept{0};
  } products;
  const auto multiply = [](void *context, std::int64_t, std::int64_t, std::int32_t) {
    auto &p = *static_cast<Products *>(context);
    const volatile float result = p.tiny * 1e-10f;
    if (result != 0.0f) {
      p.kept.fetch_add(1);
    }
  };
  (*made)->parallelFor(multiply, &products, 500, 1);
  (*made)->parallelFor(multiply, &products, 1, 1);
  EXPECT_EQ(products.kept.load(), 0);
  multiply(&products, 0, 1, 0);
  EXPECT_EQ(products.kept.load(), 1);
}

TEST(ThreadPool, runsANestedCallInPlace) {
  auto made = ThreadPool::create(3);
  ASSERT_TRUE(made.ok());
  struct Nest {
    ThreadPool *pool;
    std::atomic<int> inner{0};
  } nest{made->get()};
  (*made)->parallelFor(
      [](void *context, std::int64_t, std::int64_t, std::int32_t outerWorker) {
        struct Inner {
          Nest *nest;
          std::int32_t worker;
        } inner{static_cast<Nest *>(context), outerWorker};
        inner.nest->pool->parallelFor(
            [](void *c, std::int64_t begin, std::int64_t end, std::int32_t worker) {
              auto &in = *static_cast<Inner *>(c);
              in.nest->inner.fetch_add(worker == in.worker ? static_cast<int>(end - begin) : 1000000);
            },
            &inner, 10, 3);
      },
      &nest, 20, 1);
  EXPECT_EQ(nest.inner.load(), 200);
}

TEST(ThreadPool, sharesTheOnlyPieceOfACall) {
  auto made = ThreadPool::create(3, 3);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(ThreadPool::idle(), nullptr);
  struct Work {
    ThreadPool *idle = nullptr;
    bool busyWithin = true;
    std::atomic<int> done{0};
  } work;
  (*made)->parallelFor(
      [](void *context, std::int64_t, std::int64_t, std::int32_t) {
        auto &w = *static_cast<Work *>(context);
        w.idle = ThreadPool::idle();
        w.idle->parallelFor(
            [](void *inner, std::int64_t begin, std::int64_t end, std::int32_t) {
              auto &in = *static_cast<Work *>(inner);
              in.done += static_cast<int>(end - begin) + (ThreadPool::idle() != nullptr ? 1000 : 0);
            },
            &w, 17, 2);
        w.busyWithin = ThreadPool::idle() == nullptr;
      },
      &work, 5, 5);
  EXPECT_EQ(work.idle, made->get());
  EXPECT_EQ(work.done, 17);
  EXPECT_FALSE(work.busyWithin); // idle again behind the nested call
  EXPECT_EQ(ThreadPool::idle(), nullptr);
  auto alone = ThreadPool::create(1);
  ASSERT_TRUE(alone.ok());
  bool idle = true;
  (*alone)->parallelFor(
      [](void *context, std::int64_t, std::int64_t, std::int32_t) { *static_cast<bool *>(context) = ThreadPool::idle() != nullptr; }, &idle,
      1, 1);
  EXPECT_FALSE(idle);
}

TEST(ThreadPool, refusesSillyNumbersOfThreads) {
  EXPECT_FALSE(ThreadPool::create(-1).ok());
  EXPECT_FALSE(ThreadPool::create(100000).ok());
  auto made = ThreadPool::create(0);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ((*made)->workers(), usableCores());
}

} // namespace
} // namespace penstock
