// The device code of the kernels of runtime/cuda/kernels, as bytes of this library.
#pragma once

#include <span>

namespace penstock::cuda {

/// One file of kernels.
struct LibraryModule {
  const char *name; // of the file, without its ending
  const char *ptx;  // for sm_80 and later, NUL at its end
};
std::span<const LibraryModule> libraryModules();

} // namespace penstock::cuda
