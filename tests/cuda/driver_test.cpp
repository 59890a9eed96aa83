// The fake driver, through the table of the driver's functions: order and lateness of work, images, errors.
#include "runtime/cuda/driver.h"
#include "runtime/cuda/library.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

using namespace penstock;
using namespace penstock::cuda;

namespace {

class CudaDriver : public testing::Test {
protected:
  void SetUp() override {
    const Result<const Driver *> opened = driver();
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    it = *opened;
    CUcontext context;
    ASSERT_EQ(it->cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    ASSERT_EQ(it->cuCtxSetCurrent(context), CUDA_SUCCESS);
    ASSERT_EQ(it->cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  }
  void TearDown() override {
    if (it != nullptr) {
      EXPECT_EQ(it->cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    }
  }
  CUdeviceptr allocate(std::size_t bytes) {
    CUdeviceptr memory = 0;
    EXPECT_EQ(it->cuMemAlloc_v2(&memory, bytes), CUDA_SUCCESS);
    return memory;
  }

  const Driver *it = nullptr;
  CUstream stream = nullptr;
};

std::string bytesOfImage() {
  std::ifstream file(IMAGE, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

} // namespace

TEST_F(CudaDriver, CopiesAreLateAndInOrder) {
  const CUdeviceptr memory = allocate(sizeof(int));
  EXPECT_EQ(memory % 256, 0u);
  int first = 7, out = -1, uninitialized = 0;
  ASSERT_EQ(it->cuMemcpyDtoHAsync_v2(&uninitialized, memory, sizeof(int), stream), CUDA_SUCCESS);
  ASSERT_EQ(it->cuMemcpyHtoDAsync_v2(memory, &first, sizeof(int), stream), CUDA_SUCCESS);
  ASSERT_EQ(it->cuMemcpyDtoHAsync_v2(&out, memory, sizeof(int), stream), CUDA_SUCCESS);
  CUevent event;
  ASSERT_EQ(it->cuEventCreate(&event, CU_EVENT_DISABLE_TIMING), CUDA_SUCCESS);
  ASSERT_EQ(it->cuEventRecord(event, stream), CUDA_SUCCESS);
  EXPECT_EQ(out, -1);
  ASSERT_EQ(it->cuEventSynchronize(event), CUDA_SUCCESS);
  EXPECT_EQ(it->cuEventQuery(event), CUDA_SUCCESS);
  EXPECT_EQ(out, 7);
  EXPECT_EQ(uninitialized, -1); // 0xFF everywhere
  EXPECT_EQ(it->cuEventDestroy_v2(event), CUDA_SUCCESS);
  EXPECT_EQ(it->cuMemFree_v2(memory), CUDA_SUCCESS);
}

TEST_F(CudaDriver, AStreamWaitsForAnEventOfAnother) {
  const CUdeviceptr memory = allocate(1);
  CUstream other;
  ASSERT_EQ(it->cuStreamCreate(&other, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  CUevent event;
  ASSERT_EQ(it->cuEventCreate(&event, CU_EVENT_DEFAULT), CUDA_SUCCESS);
  ASSERT_EQ(it->cuMemsetD8Async(memory, 5, 1, other), CUDA_SUCCESS);
  ASSERT_EQ(it->cuEventRecord(event, other), CUDA_SUCCESS);
  ASSERT_EQ(it->cuStreamWaitEvent(stream, event, 0), CUDA_SUCCESS);
  unsigned char out = 0;
  ASSERT_EQ(it->cuMemcpyDtoHAsync_v2(&out, memory, 1, stream), CUDA_SUCCESS);
  ASSERT_EQ(it->cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(out, 5);
  EXPECT_EQ(it->cuEventDestroy_v2(event), CUDA_SUCCESS);
  EXPECT_EQ(it->cuStreamDestroy_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(it->cuMemFree_v2(memory), CUDA_SUCCESS);
}

TEST_F(CudaDriver, RunsTheKernelsOfAProgram) {
  const std::string image = bytesOfImage();
  std::vector<int> x(3 * 256);
  std::iota(x.begin(), x.end(), 0);
  for (int round = 0; round < 2; ++round) { // two modules of one image are two
    CUmodule module;
    ASSERT_EQ(it->cuModuleLoadData(&module, image.data()), CUDA_SUCCESS);
    CUfunction function;
    EXPECT_EQ(it->cuModuleGetFunction(&function, module, "no_such"), CUDA_ERROR_NOT_FOUND);
    ASSERT_EQ(it->cuModuleGetFunction(&function, module, "block_sums"), CUDA_SUCCESS);
    CUdeviceptr from = allocate(x.size() * 4), to = allocate(3 * 4);
    std::vector<int> out(3, -1);
    ASSERT_EQ(it->cuMemcpyHtoDAsync_v2(from, x.data(), x.size() * 4, stream), CUDA_SUCCESS);
    void *arguments[] = {&from, &to};
    EXPECT_EQ(it->cuLaunchKernel(function, 3, 1, 1, 256, 1, 1, 49 << 10, stream, arguments, nullptr), CUDA_ERROR_INVALID_VALUE);
    ASSERT_EQ(it->cuLaunchKernel(function, 3, 1, 1, 256, 1, 1, 1024, stream, arguments, nullptr), CUDA_SUCCESS);
    ASSERT_EQ(it->cuMemcpyDtoHAsync_v2(out.data(), to, 12, stream), CUDA_SUCCESS);
    EXPECT_EQ(out, std::vector<int>(3, -1));
    ASSERT_EQ(it->cuStreamSynchronize(stream), CUDA_SUCCESS);
    for (int block = 0; block < 3; ++block) {
      EXPECT_EQ(out[static_cast<std::size_t>(block)], 3000000 + 256 * (256 * block) + 255 * 128);
    }
    EXPECT_EQ(it->cuMemFree_v2(from), CUDA_SUCCESS);
    EXPECT_EQ(it->cuMemFree_v2(to), CUDA_SUCCESS);
    EXPECT_EQ(it->cuModuleUnload(module), CUDA_SUCCESS);
  }
}

TEST_F(CudaDriver, AGraphRunsWhatWasCaptured) {
  CUdeviceptr memory = allocate(4);
  CUgraph graph;
  CUgraphExec ready;
  ASSERT_EQ(it->cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
  ASSERT_EQ(it->cuMemsetD8Async(memory, 3, 4, stream), CUDA_SUCCESS);
  ASSERT_EQ(it->cuMemsetD8Async(memory, 4, 1, stream), CUDA_SUCCESS);
  ASSERT_EQ(it->cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  ASSERT_EQ(it->cuGraphInstantiateWithFlags(&ready, graph, 0), CUDA_SUCCESS);
  for (int round = 0; round < 2; ++round) {
    unsigned out = 0;
    ASSERT_EQ(it->cuMemsetD8Async(memory, 0, 4, stream), CUDA_SUCCESS);
    ASSERT_EQ(it->cuGraphLaunch(ready, stream), CUDA_SUCCESS);
    ASSERT_EQ(it->cuMemcpyDtoHAsync_v2(&out, memory, 4, stream), CUDA_SUCCESS);
    ASSERT_EQ(it->cuStreamSynchronize(stream), CUDA_SUCCESS);
    EXPECT_EQ(out, 0x03030304u);
  }
  EXPECT_EQ(it->cuGraphExecDestroy(ready), CUDA_SUCCESS);
  EXPECT_EQ(it->cuGraphDestroy(graph), CUDA_SUCCESS);
  EXPECT_EQ(it->cuMemFree_v2(memory), CUDA_SUCCESS);
}

TEST_F(CudaDriver, WhatACaptureDoesNotAllowEndsIt) {
  CUevent event;
  ASSERT_EQ(it->cuEventCreate(&event, CU_EVENT_DISABLE_TIMING), CUDA_SUCCESS);
  CUdeviceptr memory = 0;
  const std::function<CUresult()> calls[] = {[&] { return it->cuStreamSynchronize(stream); }, [&] { return it->cuMemAlloc_v2(&memory, 4); },
                                             [&] { return it->cuEventQuery(event); }};
  for (const auto &call : calls) {
    CUgraph graph;
    ASSERT_EQ(it->cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
    EXPECT_EQ(call(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(it->cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  }
  EXPECT_EQ(it->cuEventDestroy_v2(event), CUDA_SUCCESS);
}

TEST_F(CudaDriver, KernelsOfTheLibraryAreEntriesOfItsTexts) {
  ASSERT_FALSE(libraryModules().empty());
  int kernels = 0;
  for (const LibraryModule &module : libraryModules()) {
    CUmodule loaded;
    ASSERT_EQ(it->cuModuleLoadData(&loaded, module.ptx), CUDA_SUCCESS) << module.name;
    const std::string_view text = module.ptx;
    for (std::size_t at = text.find(".entry "); at != std::string_view::npos; at = text.find(".entry ", at + 1)) {
      const std::string name(text.substr(at + 7, text.find('(', at) - at - 7));
      CUfunction function;
      EXPECT_EQ(it->cuModuleGetFunction(&function, loaded, name.c_str()), CUDA_SUCCESS) << name;
      ++kernels;
    }
    CUfunction none;
    EXPECT_EQ(it->cuModuleGetFunction(&none, loaded, "no_such"), CUDA_ERROR_NOT_FOUND);
    EXPECT_EQ(it->cuModuleUnload(loaded), CUDA_SUCCESS);
  }
  EXPECT_GE(kernels, 1);
  CUmodule none;
  EXPECT_EQ(it->cuModuleLoadData(&none, "no code"), CUDA_ERROR_INVALID_IMAGE);
}

TEST_F(CudaDriver, RefusesWhatLiesOutsideOfMemory) {
  const CUdeviceptr memory = allocate(1000);
  char byte = 0;
  EXPECT_EQ(it->cuMemcpyHtoDAsync_v2(memory + 1000, &byte, 1, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(it->cuMemsetD8Async(memory + 10, 0, 991, stream), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(it->cuMemFree_v2(memory + 256), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(it->cuMemFree_v2(memory), CUDA_SUCCESS);
  EXPECT_EQ(it->cuMemsetD8Async(memory, 0, 1, stream), CUDA_ERROR_INVALID_VALUE);
  CUdeviceptr all = 0;
  EXPECT_EQ(it->cuMemAlloc_v2(&all, std::size_t{1} << 37), CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(CudaDriver, TheHostCannotTouchTheDevicesMemory) {
  const CUdeviceptr memory = allocate(64);
  EXPECT_DEATH(*reinterpret_cast<volatile int *>(memory) = 1, "the host touches memory of the device, byte 0 of 64|Sanitizer");
  EXPECT_EQ(it->cuMemFree_v2(memory), CUDA_SUCCESS);
}

TEST(CudaDriverDeathTest, ErrorsThatWereAskedFor) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto fails = [] {
    ::setenv("PENSTOCK_FAKE_CUDA_FAIL", "cuMemAlloc_v2:2:2, work:3:700", 1);
    const Driver &it = **driver();
    CUcontext context;
    (void)it.cuDevicePrimaryCtxRetain(&context, 0);
    (void)it.cuCtxSetCurrent(context);
    CUdeviceptr memory = 0;
    std::string all;
    const auto note = [&](CUresult result) { all += std::to_string(result) + " "; };
    for (int i = 0; i < 3; ++i) {
      note(it.cuMemAlloc_v2(&memory, 4));
    }
    for (int i = 0; i < 3; ++i) {
      note(it.cuMemsetD8Async(memory, 0, 4, nullptr));
    }
    note(it.cuStreamSynchronize(nullptr));
    note(it.cuMemAlloc_v2(&memory, 4));
    std::fprintf(stderr, "%s%s\n", all.c_str(), errorName(it, CUDA_ERROR_ILLEGAL_ADDRESS).c_str());
    std::exit(all == "0 2 0 0 0 0 700 700 " ? 3 : 4);
  };
  EXPECT_EXIT(fails(), testing::ExitedWithCode(3), "CUDA_ERROR_ILLEGAL_ADDRESS");
}
