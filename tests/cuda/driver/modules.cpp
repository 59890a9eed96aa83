#include "tests/cuda/driver/modules.h"

#include "runtime/cuda/kernels/device.h"
#include "tests/cuda/emulator/emulator.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace penstock::fake {

using namespace cuda;

namespace {

/// Bytes of the file, which is not told.
std::size_t bytesOf(const void *image) {
  const auto &header = *static_cast<const Elf64_Ehdr *>(image);
  std::size_t bytes = header.e_shoff + std::size_t{header.e_shnum} * header.e_shentsize;
  for (int i = 0; i < header.e_phnum; ++i) {
    const auto *const part = reinterpret_cast<const Elf64_Phdr *>(static_cast<const char *>(image) + header.e_phoff) + i;
    bytes = std::max<std::size_t>(bytes, part->p_offset + part->p_filesz);
  }
  return bytes;
}

/// What the driver exports is found by the libraries that it opens, however it was opened itself.
void showOwnSymbols() {
  Dl_info own;
  if (::dladdr(reinterpret_cast<void *>(&showOwnSymbols), &own) != 0) {
    (void)::dlopen(own.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  }
}

CUresult openLibrary(CUmod_st &module, const void *image) {
  showOwnSymbols();
  // The file stays open as long as the library: its name is its number, and of two with one name the second would be the first.
  module.file = ::memfd_create("penstock-kernels", MFD_CLOEXEC);
  const std::size_t bytes = bytesOf(image);
  for (std::size_t done = 0; module.file >= 0 && done < bytes;) {
    const ssize_t count = ::write(module.file, static_cast<const char *>(image) + done, bytes - done);
    if (count <= 0) {
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
    done += static_cast<std::size_t>(count);
  }
  module.library = ::dlopen(("/proc/self/fd/" + std::to_string(module.file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module.library == nullptr) {
    std::fprintf(stderr, "fake CUDA: an image cannot be opened: %s\n", ::dlerror());
    return CUDA_ERROR_INVALID_IMAGE;
  }
  return CUDA_SUCCESS;
}

/// Whether the text has the kernel; `parameters`: how many it has there.
bool hasEntry(std::string_view text, std::string_view name, int &parameters) {
  const std::string wanted = ".entry " + std::string(name) + "(";
  const std::size_t at = text.find(wanted);
  if (at == std::string_view::npos) {
    return false;
  }
  const std::string_view list = text.substr(at, text.find(')', at) - at);
  parameters = 0;
  for (std::size_t next = list.find(".param"); next != std::string_view::npos; next = list.find(".param", next + 1)) {
    ++parameters;
  }
  return true;
}

} // namespace

CUresult loadModule(CUmodule &made, const void *image) {
  auto module = std::make_unique<CUmod_st>();
  if (std::memcmp(image, ELFMAG, SELFMAG) == 0) {
    const CUresult opened = openLibrary(*module, image);
    if (opened != CUDA_SUCCESS) {
      unloadModule(module.release());
      return opened;
    }
  } else {
    module->text = static_cast<const char *>(image);
    if (module->text.find(".version") == std::string::npos) {
      return CUDA_ERROR_INVALID_IMAGE;
    }
  }
  made = module.release();
  return CUDA_SUCCESS;
}

void unloadModule(CUmodule module) {
  if (module->library != nullptr) {
    ::dlclose(module->library);
  }
  if (module->file >= 0) {
    ::close(module->file);
  }
  delete module;
}

CUresult findFunction(CUfunction &found, CUmodule module, const char *name) {
  auto function = std::make_unique<CUfunc_st>();
  function->name = name;
  if (module->library != nullptr) {
    function->call = reinterpret_cast<void (*)(void *const *)>(::dlsym(module->library, name));
    const auto *const count = static_cast<const std::int32_t *>(::dlsym(module->library, (std::string(name) + "_arguments").c_str()));
    if (function->call == nullptr || count == nullptr) {
      return CUDA_ERROR_NOT_FOUND;
    }
    function->sizes.assign(static_cast<std::size_t>(*count), 8);
  } else {
    int parameters = 0;
    function->kernel = emulator::findKernel(name, false);
    if (!hasEntry(module->text, name, parameters)) {
      return CUDA_ERROR_NOT_FOUND;
    }
    if (function->kernel == nullptr || function->kernel->count != parameters) {
      std::fprintf(stderr, "fake CUDA: the emulated `%s` is not the kernel of the image\n", name);
      return CUDA_ERROR_NOT_FOUND;
    }
    function->call = function->kernel->call;
    function->whole = emulator::findKernel(name, true);
    function->sizes.assign(function->kernel->sizes, function->kernel->sizes + parameters);
    function->mostThreads = function->kernel->threads;
  }
  found = function.get();
  module->functions.push_back(std::move(function));
  return CUDA_SUCCESS;
}

} // namespace penstock::fake
