// What of CUDA needs no card: how memory is laid out, and what is said where there is no driver.
#include "runtime/cuda/cuda_device.h"
#include "runtime/cuda/symbols.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string_view>
#include <vector>

using namespace penstock;
using namespace penstock::cuda;

namespace {

TEST(Buckets, AreFewMultiplesOf16ThatGrow) {
  std::set<std::int64_t> all;
  std::int64_t before = 0;
  for (std::int64_t rows = 0; rows <= 20000; ++rows) {
    const std::int64_t bucket = bucketOf(rows);
    EXPECT_EQ(bucket % 16, 0) << rows;
    EXPECT_GE(bucket, std::max(rows, before)) << rows;
    EXPECT_LE(bucket, std::max(rows + 15, rows + rows / 8)) << rows;
    EXPECT_EQ(bucketOf(bucket), bucket) << rows;
    all.insert(before = bucket);
  }
  EXPECT_LE(all.size(), 72u);
}

TEST(Driver, OneThatIsNotThereIsNamed) {
  ::setenv("PENSTOCK_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  const auto opened = CudaDevice::open(0);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), ErrorCode::environment);
  EXPECT_NE(opened.status().message().find("there is no NVIDIA driver: `/nowhere/libcuda.so.1` cannot be opened"), std::string::npos)
      << opened.status().message();
  EXPECT_EQ(CudaDevice::open(1).status().message(), opened.status().message());
}

TEST(Symbols, KernelsWithoutCodeAreThoseThatGeneratedCodeHolds) {
  EXPECT_EQ(kernelsWithoutCode(), (std::vector<std::string_view>{"dropout_row"}));
}

TEST(Symbols, AnUnknownKernelIsNamed) {
  EXPECT_TRUE(symbol("penstock_launch").ok());
  const auto found = symbol("penstock_no_such_kernel");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.status().message(), "the program needs the kernel `penstock_no_such_kernel`, which has no CUDA code in this version; "
                                      "compile the pipeline again, or compute on the CPU by `--set target.device=cpu`");
}

} // namespace
