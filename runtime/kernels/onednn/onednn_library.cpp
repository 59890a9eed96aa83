#include "runtime/kernels/onednn/onednn_library.h"

#include "runtime/kernels/onednn/onednn_matmul.h"

#include <dlfcn.h>
#include <mutex>
#include <optional>
#include <string>

namespace penstock {
namespace {

#define PENSTOCK_TEXT_OF(x) #x
#define PENSTOCK_TEXT(x) PENSTOCK_TEXT_OF(x)
/// The struct members that we know are those of this major version.
constexpr const char *libraryName = "libdnnl.so." PENSTOCK_TEXT(DNNL_VERSION_MAJOR);

OneDnnFunctions functions;

Status openLibrary() {
  void *library = ::dlopen(libraryName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char *reason = ::dlerror();
    return environmentError("kernels of `onednn` were asked for, and oneDNN cannot be opened (" +
                            std::string(reason != nullptr ? reason : libraryName) + "); install it (Debian and Ubuntu: `libdnnl" +
                            std::to_string(DNNL_VERSION_MAJOR) + "`), " + oursInstead);
  }
  const char *missing = nullptr;
  const auto find = [&]<class F>(F *&to, const char *name) {
    to = reinterpret_cast<F *>(::dlsym(library, name));
    missing = to == nullptr ? name : missing;
  };
#define PENSTOCK_ONEDNN_FUNCTION(name) find(functions.name, "dnnl_" #name);
  PENSTOCK_ONEDNN_FUNCTIONS(PENSTOCK_ONEDNN_FUNCTION)
#undef PENSTOCK_ONEDNN_FUNCTION
  if (missing != nullptr) {
    return environmentError(std::string(libraryName) + " has no `" + missing + "`; kernels of `onednn` need oneDNN " +
                            std::to_string(DNNL_VERSION_MAJOR) + "." + std::to_string(DNNL_VERSION_MINOR) + " or newer; update it, " +
                            oursInstead);
  }
  functions.omp_set_num_threads = reinterpret_cast<void (*)(int)>(::dlsym(library, "omp_set_num_threads"));
  return {};
}

const Status &library() {
  static const Status opened = openLibrary();
  return opened;
}

/// The instructions of a level, as far as float32 has a use for them.
dnnl_cpu_isa_t instructionsOf(Level level) { return level == Level::avx2 ? dnnl_cpu_isa_avx2 : dnnl_cpu_isa_avx512_core; }

} // namespace

const OneDnnFunctions &oneDnn() { return functions; }

Status openOneDnn(Level level) {
  static std::mutex mutex;
  static std::optional<Level> limit;
  const std::lock_guard<std::mutex> lock(mutex);
  PENSTOCK_TRY(library());
  if (!limit) {
    PENSTOCK_TRY(checkOneDnn(functions.set_max_cpu_isa(instructionsOf(level)), "the instructions of the program's level"));
    limit = level;
  }
  if (instructionsOf(*limit) != instructionsOf(level)) {
    return environmentError("this process computes with oneDNN at level `" + std::string(levelName(*limit)) +
                            "` already, and oneDNN serves one level a process; open the program of level `" +
                            std::string(levelName(level)) + "` in another");
  }
  return {};
}

Status checkOneDnn(dnnl_status_t status, const char *what) {
  if (status == dnnl_success) {
    return {};
  }
  return environmentError("oneDNN refused " + std::string(what) + " (status " + std::to_string(status) + "); update it, " + oursInstead);
}

Result<std::string> oneDnnVersion() {
  if (!library().ok()) {
    return library();
  }
  const dnnl_version_t *version = functions.version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->patch);
}

} // namespace penstock
