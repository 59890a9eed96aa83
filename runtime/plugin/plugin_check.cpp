#include "runtime/plugin/plugin_check.h"

#include "runtime/base/disk_cache.h"
#include "runtime/base/hash.h"
#include "runtime/base/printable.h"
#include "runtime/plugin/containment.h"
#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/plugin_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace penstock {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char *entryName = "penstock_plugin", *loading = "loading";
constexpr std::size_t maximumVerdictBytes = 4096;

Status disagrees(const PluginManifest &manifest, const std::string &reason) {
  return invalidInput(fmt::format("plugin `{}` cannot be used: {}; its library is {}", manifest.name, reason, manifest.library));
}

std::string missingFunction(const PluginManifest &manifest, const PenstockPlugin &plugin) {
  const KindFunctions &kind = functionsOf(manifest.kind);
  std::uint32_t size = 0; // the first member of every table
  std::memcpy(&size, plugin.functions, sizeof size);
  if (size < kind.size) {
    return fmt::format("its table of functions has {} bytes, this version needs {}", size, kind.size);
  }
  Missing missing;
  kind.check(manifest, plugin.functions, missing);
  return missing.reason;
}

/// What a library calls itself, as far as it is read.
std::string shownName(const char *text) { return printable(std::string_view(text, strnlen(text, 256)), 64); }

Status compare(const PluginManifest &manifest, const PenstockPlugin *plugin) {
  if (plugin == nullptr) {
    return disagrees(manifest, fmt::format("`{}` returned nothing", entryName));
  }
  if (!PENSTOCK_HAS(plugin, PenstockPlugin, functions)) {
    return disagrees(manifest, fmt::format("its description has {} bytes, fewer than the first version had", plugin->struct_size));
  }
  if (plugin->abi_major != PENSTOCK_PLUGIN_ABI_MAJOR) {
    return disagrees(manifest, fmt::format("it was built for plugin ABI {}.{}, this version has {}.{}", plugin->abi_major,
                                           plugin->abi_minor, PENSTOCK_PLUGIN_ABI_MAJOR, PENSTOCK_PLUGIN_ABI_MINOR));
  }
  if (static_cast<std::uint32_t>(plugin->kind) != static_cast<std::uint32_t>(manifest.kind)) {
    return disagrees(manifest, fmt::format("its manifest says that it is a {}, its library does not", kindName(manifest.kind)));
  }
  if (plugin->name == nullptr || plugin->name != manifest.name) {
    return disagrees(manifest, fmt::format("its library calls itself `{}`", plugin->name == nullptr ? "" : shownName(plugin->name)));
  }
  if (plugin->version == nullptr || plugin->version != manifest.version) {
    return disagrees(manifest, fmt::format("its manifest says version {}, its library {}", manifest.version,
                                           plugin->version == nullptr ? "nothing" : shownName(plugin->version)));
  }
  if (plugin->functions == nullptr) {
    return disagrees(manifest, "it gives no functions");
  }
  const std::string missing = missingFunction(manifest, *plugin);
  return missing.empty() ? Status::success() : disagrees(manifest, missing);
}

/// Never returns: the child's whole life.
[[noreturn]] void scanInChild(const PluginManifest &manifest, int answer, std::atomic<const char *> &reached) {
  const rlimit noCore{0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  releaseSignals();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    std::signal(signal, SIG_DFL);
  }
  tellEntries(&reached);
  const int nowhere = open("/dev/null", O_RDWR);
  if (nowhere >= 0) {
    for (int descriptor = 0; descriptor < 3; ++descriptor) {
      dup2(nowhere, descriptor);
    }
  }
  const Result<LoadedPlugin> loaded = loadPlugin(manifest);
  const Status tried = loaded.ok() ? tryPlugin(manifest, *loaded->plugin, lentServices()) : loaded.status();
  const std::string verdict = tried.ok() ? "+" : "-" + tried.message();
  tellEntries(nullptr);
  const std::size_t size = std::min(verdict.size(), maximumVerdictBytes);
  const bool written = write(answer, verdict.data(), size) == static_cast<ssize_t>(size);
  _exit(written ? 0 : 1); // no destructors of a library that is on trial
}

class Child {
public:
  Child(pid_t pid, int answer, Clock::time_point deadline) : pid(pid), answer(answer), deadline(deadline) {}
  ~Child() {
    close(answer);
    if (!reaped) {
      kill(pid, SIGKILL);
      while (waitpid(pid, &state, 0) < 0 && errno == EINTR) {
      }
    }
  }
  Child(const Child &) = delete;

  /// Everything the child says until it closes its end; false when the time is over.
  bool read(std::string &text) {
    std::array<char, 512> buffer;
    while (true) {
      pollfd wanted{answer, POLLIN, 0};
      const int ready = poll(&wanted, 1, millisecondsLeft());
      if (ready < 0 && errno == EINTR) {
        continue;
      }
      if (ready <= 0) {
        return false;
      }
      const ssize_t size = ::read(answer, buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) {
        continue;
      }
      if (size <= 0) {
        return true;
      }
      if (text.size() < maximumVerdictBytes) {
        text.append(buffer.data(), static_cast<std::size_t>(size));
      }
    }
  }

  /// Waits for the end of the process; false when the time is over.
  bool wait() {
    while (true) {
      const pid_t ended = waitpid(pid, &state, WNOHANG);
      if (ended == pid) {
        reaped = true;
        return true;
      }
      if (ended < 0 && errno != EINTR) {
        reaped = true; // somebody else of this process collected it
        state = 0;
        return true;
      }
      if (millisecondsLeft() == 0) {
        return false;
      }
      usleep(500);
    }
  }

  int state = 0;

private:
  int millisecondsLeft() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 3600 * 1000));
  }
  pid_t pid;
  int answer;
  Clock::time_point deadline;
  bool reaped = false;
};

/// A page that parent and child share: the entry of the plugin in which the child is. The texts lie at the same place in both.
class Reached {
public:
  Reached() : page(mmap(nullptr, sizeof(Place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  ~Reached() {
    if (page != MAP_FAILED) {
      munmap(page, sizeof(Place));
    }
  }
  Reached(const Reached &) = delete;
  Reached &operator=(const Reached &) = delete;
  bool ok() const { return page != MAP_FAILED; }
  std::atomic<const char *> &place() { return *static_cast<Place *>(page); }
  /// "in `encode`", or where none was reached, "while it was loaded".
  std::string words() {
    const char *const entry = place().load();
    return entry == nullptr || entry == loading ? "while it was loaded" : fmt::format("in `{}`", entry);
  }

private:
  using Place = std::atomic<const char *>; // zero is NULL
  void *page;
};

/// `remember` is false where the machine, not the library, is the reason.
Status scanNow(const PluginManifest &manifest, std::chrono::milliseconds timeout, bool &remember) {
  remember = false;
  int ends[2];
  Reached reached;
  if (!reached.ok() || pipe2(ends, O_CLOEXEC) != 0) {
    return environmentError(fmt::format("plugin `{}` cannot be scanned: {}", manifest.name, std::strerror(errno)));
  }
  const pid_t pid = fork();
  if (pid < 0) {
    const int reason = errno;
    close(ends[0]);
    close(ends[1]);
    return environmentError(fmt::format("plugin `{}` cannot be scanned: {}", manifest.name, std::strerror(reason)));
  }
  if (pid == 0) {
    close(ends[0]);
    scanInChild(manifest, ends[1], reached.place());
  }
  close(ends[1]);
  Child child(pid, ends[0], Clock::now() + timeout);
  std::string verdict;
  remember = true;
  if (!child.read(verdict) || !child.wait()) {
    return disagrees(manifest,
                     fmt::format("it hung {} (no answer in {:.3g} s)", reached.words(), static_cast<double>(timeout.count()) / 1000));
  }
  if (WIFSIGNALED(child.state)) {
    const int signal = WTERMSIG(child.state);
    remember = signal != SIGKILL && signal != SIGTERM && signal != SIGINT;
    return disagrees(manifest, fmt::format("it crashed {} (signal {}: {})", reached.words(), signal, strsignal(signal)));
  }
  if (verdict.empty() || (verdict[0] != '+' && verdict[0] != '-')) {
    return disagrees(manifest, fmt::format("it ended its process {} (exit code {})", reached.words(), WEXITSTATUS(child.state)));
  }
  return verdict[0] == '+' ? Status::success() : invalidInput(verdict.substr(1));
}

std::string keyOf(const PluginManifest &manifest, const struct stat &info) {
  return fmt::format("{} {} {} {} {} {}.{} {} {} {:016x}", manifest.library, info.st_dev, info.st_ino, info.st_size,
                     static_cast<long long>(info.st_mtim.tv_sec) * 1000000000 + info.st_mtim.tv_nsec, PENSTOCK_PLUGIN_ABI_MAJOR,
                     PENSTOCK_PLUGIN_ABI_MINOR, kindName(manifest.kind), manifest.name, manifest.textHash);
}

constexpr std::string_view cacheKind = "plugins";
constexpr std::uint32_t verdictVersion = 1;

bool recall(const DiskCache &cache, const Hash128 &key, Status &verdict) {
  const std::shared_ptr<MappedFile> entry = cache.find(cacheKind, verdictVersion, key);
  if (entry == nullptr) {
    return false;
  }
  const std::string_view said = DiskCache::payloadOf(*entry);
  verdict = said.empty() ? Status::success() : invalidInput(std::string(said));
  return true;
}

} // namespace

void Missing::need(bool present, const char *name) {
  if (!present && reason.empty()) {
    reason = fmt::format("it has no function `{}`", name);
  }
}

LoadedPlugin::~LoadedPlugin() {
  if (library != nullptr && library->is_loaded()) {
    static_cast<void>(callPlugin(*label, "unloading", [&](PenstockError *) {
      library->unload();
      return 0;
    }));
  }
}

/// Asks a plugin that is in this process what it is.
static Status askPlugin(const PluginManifest &manifest, PenstockPluginFunction entry, LoadedPlugin &loaded) {
  Status compared;
  PENSTOCK_TRY(callPlugin(*loaded.label, entryName, [&](PenstockError *) { // reading what it points to is its business, too
    loaded.plugin = entry();
    compared = compare(manifest, loaded.plugin);
    return 0;
  }));
  return compared;
}

Result<LoadedPlugin> takeLinkedPlugin(const PluginManifest &manifest, PenstockPluginFunction entry) {
  LoadedPlugin loaded;
  loaded.label = labelOf(manifest);
  PENSTOCK_TRY(askPlugin(manifest, entry, loaded));
  return loaded;
}

Result<LoadedPlugin> loadPlugin(const PluginManifest &manifest) {
  if (manifest.abiMajor != PENSTOCK_PLUGIN_ABI_MAJOR) {
    return disagrees(manifest, fmt::format("its manifest asks for plugin ABI {}.{}, this version has {}.{}", manifest.abiMajor,
                                           manifest.abiMinor, PENSTOCK_PLUGIN_ABI_MAJOR, PENSTOCK_PLUGIN_ABI_MINOR));
  }
  const PluginLabel &label = *labelOf(manifest);
  LoadedPlugin loaded;
  loaded.label = &label;
  try {
    boost::dll::fs::error_code error;
    std::string said; // by the system: which library or version of a symbol is not there
    loaded.library = std::make_unique<boost::dll::shared_library>();
    const Status opened = callPlugin(label, loading, [&](PenstockError *) {
      loaded.library->load(manifest.library, error, boost::dll::load_mode::rtld_now);
      if (const char *const reason = error ? ::dlerror() : nullptr; reason != nullptr) {
        said = printable(reason);
      }
      return 0;
    });
    PENSTOCK_TRY(opened);
    if (error) {
      return disagrees(manifest, fmt::format("its library does not load ({})", said.empty() ? error.message() : said));
    }
    if (!loaded.library->has(entryName)) {
      return disagrees(manifest, fmt::format("its library exports no `{}`", entryName));
    }
    const PenstockPluginFunction entry = loaded.library->get<const PenstockPlugin *(void)>(entryName);
    watchLibrary(label, reinterpret_cast<const void *>(entry));
    PENSTOCK_TRY(askPlugin(manifest, entry, loaded));
    return loaded;
  } catch (const std::exception &) { // of Boost.DLL
    return disagrees(manifest, fmt::format("`{}` cannot be found in its library", entryName));
  }
}

Status scanPlugin(const PluginManifest &manifest, const std::string &cacheFolder, std::chrono::milliseconds timeout) {
  struct stat info{};
  if (stat(manifest.library.c_str(), &info) != 0) {
    return environmentError(fmt::format("plugin `{}` has no library: {}: {}", manifest.name, manifest.library, std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) {
    return environmentError(fmt::format("plugin `{}` has no library: {} is not a file", manifest.name, manifest.library));
  }
  const Hash128 key = hash128(keyOf(manifest, info));
  const DiskCache cache(cacheFolder);
  Status verdict;
  if (recall(cache, key, verdict)) {
    return verdict;
  }
  bool remember = false;
  verdict = scanNow(manifest, timeout, remember);
  if (remember && cache.enabled()) { // one that cannot be written only means another scan
    (void)cache.store(cacheKind, verdictVersion, key, verdict.message());
  }
  return verdict;
}

} // namespace penstock
