// Code that the fake driver takes: the text of our library's kernels, whose functions are the emulated ones, or an ELF shared object with a
// program's kernels as host code, in which `NAME` is a void(void **arguments) and `NAME_arguments` an int32_t, each argument 8 bytes.
#pragma once

#include "runtime/cuda/driver.h"

#include <memory>
#include <string>
#include <vector>

struct EmulatedKernel;

namespace penstock::cuda {
struct CUmod_st;
struct CUfunc_st {
  std::string name;
  const EmulatedKernel *kernel = nullptr, *whole = nullptr;
  void (*call)(void *const *arguments) = nullptr;
  std::vector<unsigned> sizes; // of the arguments
  int mostThreads = 1024;
  unsigned mostShared = 48 << 10;
};
struct CUmod_st {
  std::string text;
  void *library = nullptr;
  int file = -1;
  std::vector<std::unique_ptr<CUfunc_st>> functions;
};
} // namespace penstock::cuda

namespace penstock::fake {

cuda::CUresult loadModule(cuda::CUmodule &made, const void *image);
void unloadModule(cuda::CUmodule module);
cuda::CUresult findFunction(cuda::CUfunction &found, cuda::CUmodule module, const char *name);

} // namespace penstock::fake
