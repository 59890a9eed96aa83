#include "compiler/driver/compile.h"

#include "compiler/driver/backend.h"
#include "compiler/driver/program_cache.h"
#include "compiler/driver/program_key.h"
#include "runtime/abi/program_abi.h"
#include "runtime/base/folder.h"
#include "runtime/base/pipeline_value.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace penstock {
namespace {

constexpr const char *libraryName = "libpenstock_compiler.so";

/// Where the compiler lies: beside the command as built (bin, lib) or as installed (bin,
/// lib/penstock).
std::string compilerLibrary(const CompileOptions &options) {
  if (!options.compilerLibrary.empty()) {
    return options.compilerLibrary;
  }
  std::error_code error;
  const fs::path folder = commandFolder();
  for (const char *place : {"../lib", "../lib/penstock", "."}) {
    const fs::path path = folder / place / libraryName;
    if (fs::exists(path, error)) {
      return path.lexically_normal().string();
    }
  }
  return "";
}

/// Two builds of the compiler that differ have libraries that differ in size or time.
std::string buildIdentity(const std::string &library) {
  struct stat info = {};
  if (library.empty() || ::stat(library.c_str(), &info) != 0) {
    return "none";
  }
  return fmt::format("{} {}.{:09}", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

Result<BackendFunction *> loadBackend(const std::string &library) {
  static std::mutex mutex;
  static std::string loaded;
  static BackendFunction *function = nullptr;
  const std::lock_guard<std::mutex> lock(mutex);
  if (function && loaded == library) {
    return function;
  }
  if (library.empty()) {
    return environmentError(fmt::format("the compiler `{}` is not installed beside this command; a program that was "
                                        "never compiled here needs it",
                                        libraryName));
  }
  void *handle = ::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (!handle) {
    return environmentError(fmt::format("the compiler cannot be loaded: {}", ::dlerror()));
  }
  auto *found = reinterpret_cast<BackendFunction *>(::dlsym(handle, backendFunctionName));
  if (!found) {
    return environmentError(fmt::format("`{}` is not the compiler of this command", library));
  }
  loaded = library;
  function = found;
  return found;
}

/// Tests run the code of a device on the host.
bool emulatesDevice() {
  const char *const form = std::getenv("PENSTOCK_CUDA_CODE");
  return form != nullptr && std::strcmp(form, "emulated") == 0;
}

Result<std::string> callBackend(BackendRequest request, const frontend::TypedPipeline &pipeline, const CompileOptions &options,
                                const std::string &library) {
  PENSTOCK_ASSIGN(BackendFunction *const compile, loadBackend(library));
  request.pipeline = &pipeline;
  request.level = options.level;
  request.emulated = emulatesDevice();
  request.buildHead = &options.buildHead;
  request.profile = options.profile;
  request.timed = std::getenv("PENSTOCK_COMPILE_TIMES") != nullptr;
  BackendResult result;
  compile(&request, &result);
  PENSTOCK_TRY(result.status);
  if (request.timed && request.stage.empty()) {
    std::fputs(result.text.c_str(), stderr);
  }
  return result.text;
}

/// Compiles without a cache: the library lives in a nameless file of this process.
Result<std::string> compileUncached(const frontend::TypedPipeline &pipeline, const CompileOptions &options, const std::string &library) {
  std::error_code error;
  std::string folder = (fs::temp_directory_path(error) / "penstock-XXXXXX").string();
  if (error || !::mkdtemp(folder.data())) {
    return environmentError(fmt::format("cannot make a temporary folder: {}", std::strerror(errno)));
  }
  const std::string path = folder + "/program.so";
  BackendRequest request;
  request.output = path;
  const Result<std::string> compiled = callBackend(request, pipeline, options, library);
  const int file = compiled.ok() ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : -1;
  const int reason = errno;
  fs::remove_all(folder, error);
  PENSTOCK_TRY(compiled.status());
  if (file < 0) {
    return environmentError(fmt::format("cannot open `{}`: {}", path, std::strerror(reason)));
  }
  return fmt::format("/proc/self/fd/{}", file);
}

} // namespace

Result<std::string> compileProgram(const frontend::TypedPipeline &pipeline, const CompileOptions &options, CompileReport *report) {
  const auto start = std::chrono::steady_clock::now();
  const auto finish = [&](std::string path, bool cached) {
    if (report) {
      report->cached = cached;
      report->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    return path;
  };
  const std::string library = compilerLibrary(options);
  if (!options.cacheFolder.empty()) {
    const ProgramCache cache(DiskCache{options.cacheFolder});
    std::string identity = fmt::format("penstock program {}.{} level {} compiler {}\n", PENSTOCK_PROGRAM_ABI_MAJOR,
                                       PENSTOCK_PROGRAM_ABI_MINOR, options.level, buildIdentity(library));
    if (emulatesDevice()) {
      identity += "emulated\n";
    }
    for (const std::string &plugin : options.plugins) {
      identity += fmt::format("plugin {}:{}\n", plugin.size(), plugin);
    }
    if (options.profile) {
      identity += "profile\n" + placesOf(pipeline);
    }
    const std::string key = keyOf(identity + canonicalProgram(pipeline));
    if (std::string found = cache.find(key); !found.empty()) {
      return finish(std::move(found), true);
    }
    if (const Result<std::string> scratch = cache.scratchPath(); scratch.ok()) {
      BackendRequest request;
      request.output = *scratch;
      const Result<std::string> compiled = callBackend(request, pipeline, options, library);
      if (compiled.ok()) {
        const Result<std::string> adopted = cache.adopt(*scratch, key);
        if (adopted.ok()) {
          return finish(*adopted, false);
        }
      } else if (compiled.status().code() != ErrorCode::environment) {
        return compiled.status();
      }
    }
  }
  // No cache, or one that cannot be written.
  PENSTOCK_ASSIGN(std::string path, compileUncached(pipeline, options, library));
  return finish(std::move(path), false);
}

Result<ArtifactCode> compileForArtifact(const frontend::TypedPipeline &pipeline, const CompileOptions &options, bool trains,
                                        const std::string &into) {
  BackendRequest request;
  request.suffix = (trains ? "_train_" : "_") + options.level;
  request.predicts = !trains;
  const std::string path = into + "/program" + request.suffix;
  ArtifactCode code = {path + ".o", path + ".so"};
  request.object = code.object;
  request.output = code.library;
  PENSTOCK_TRY(callBackend(request, pipeline, options, compilerLibrary(options)).status());
  return code;
}

Result<std::string> compileStage(const frontend::TypedPipeline &pipeline, const std::string &stage, const CompileOptions &options) {
  BackendRequest request;
  request.stage = stage;
  PENSTOCK_ASSIGN(std::string text, callBackend(request, pipeline, options, compilerLibrary(options)));
  return stage == "pipe" ? commentedText(pipeline) + text : text;
}

} // namespace penstock
