// Quotas of control groups, from files as the kernel shows them.
#include "runtime/base/cores.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sched.h>

namespace fs = std::filesystem;

namespace penstock {
namespace {

class Cores : public testing::Test {
protected:
  void SetUp() override {
    root = testing::TempDir() + "cores_test";
    fs::remove_all(root);
  }
  void TearDown() override { fs::remove_all(root); }

  void write(const std::string &path, const std::string &text) {
    fs::create_directories(fs::path(root + "/" + path).parent_path());
    std::ofstream(root + "/" + path) << text;
  }

  std::string root;
};

TEST_F(Cores, OfVersionTwoTheLeastQuotaOnTheWayCounts) {
  write("cpu.max", "max 100000\n");
  write("jobs/cpu.max", "700000 100000\n");
  write("jobs/a/cpu.max", "250000 100000\n");
  write("jobs/b/cpu.max", "max 100000\n");
  EXPECT_EQ(quotaOf("0::/jobs/a\n", root), 3); // 2.5 cores
  EXPECT_EQ(quotaOf("0::/jobs/b\n", root), 7);
  EXPECT_EQ(quotaOf("0::/\n", root), std::nullopt);
  EXPECT_EQ(quotaOf("0::/elsewhere/b\n", root), std::nullopt); // a container does not see its own path
  write("cpu.max", "50000 100000\n");
  EXPECT_EQ(quotaOf("0::/elsewhere/b\n", root), 1);
}

TEST_F(Cores, OfVersionOneTheGroupOfTheProcessorCounts) {
  write("cpu/cpu.cfs_quota_us", "-1\n");
  write("cpu/cpu.cfs_period_us", "100000\n");
  write("cpu/x/cpu.cfs_quota_us", "200000\n");
  write("cpu/x/cpu.cfs_period_us", "100000\n");
  write("cpu,cpuacct/y/cpu.cfs_quota_us", "450000\n");
  write("cpu,cpuacct/y/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(quotaOf("3:memory:/x\n1:cpu:/x\n", root), 2);
  EXPECT_EQ(quotaOf("2:cpuset:/x\n1:cpu:/\n", root), std::nullopt);
  EXPECT_EQ(quotaOf("4:cpu,cpuacct:/y\n", root), 9);
  EXPECT_EQ(quotaOf("4:cpuacct:/y\n", root), std::nullopt);
}

TEST_F(Cores, WhatIsNoQuotaIsNone) {
  for (const char *text : {"", "\n", "max\n", "0 100000\n", "100000 0\n", "100000\n", "many 100000\n", "-5 100000\n"}) {
    write("cpu.max", text);
    EXPECT_EQ(quotaOf("0::/\n", root), std::nullopt) << text;
  }
  for (const char *text : {"", "\n", "0", "::", "0:", "a:b"}) {
    EXPECT_EQ(quotaOf(text, root), std::nullopt) << text;
  }
}

TEST_F(Cores, AffinityBoundsThem) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_GE(usableCores(), 1);
  EXPECT_LE(usableCores(), CPU_COUNT(&before));
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
    }
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usableCores(), 1);
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
}

} // namespace
} // namespace penstock
