#include "runtime/plugin/plugin_call.h"

#include "runtime/base/printable.h"
#include "runtime/base/utf8.h"
#include "runtime/plugin/containment.h"

#include <fmt/format.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace penstock {

namespace {

constexpr std::size_t markCount = 2048;
constexpr std::size_t errorBytes = 65536; // the error and what may be written behind it
constexpr std::size_t witnessBytes = 64;
constexpr unsigned char witness = 0xA5;

CallMark marks[markCount];
std::atomic<std::size_t> marksUsed{0};
std::atomic<bool> signalStacks{false};
std::atomic<const char *> *told = nullptr;
/// What the signal handler reads. In a command it lies at a known place of each thread, so that reading it allocates nothing; a library
/// that is loaded, as that of an artifact, has no handler.
thread_local CallMark *own = nullptr;

unsigned roundingNow() {
#if defined(__SSE2__)
  return _mm_getcsr() & ~0x3FU; // without the flags of what happened
#else
  return 0;
#endif
}

void roundAgain(unsigned before) {
#if defined(__SSE2__)
  if (roundingNow() != before) {
    _mm_setcsr(before);
  }
#else
  static_cast<void>(before);
#endif
}

/// What a thread that calls plugins needs: a mark, a buffer for errors between two pages that nobody may touch, and a stack for
/// the signal handler, which runs where the plugin has used up the thread's own.
class ThreadCalls {
public:
  ThreadCalls() {
    page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    stackBytes = std::max<std::size_t>(65536, static_cast<std::size_t>(std::max(0L, ::sysconf(_SC_SIGSTKSZ))) * 2);
    bytes = page + errorBytes + page + stackBytes;
    memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      return;
    }
    auto *at = static_cast<unsigned char *>(memory);
    ::mprotect(at, page, PROT_NONE);
    ::mprotect(at + page + errorBytes, page, PROT_NONE);
    error = reinterpret_cast<PenstockError *>(at + page);
    std::memset(at + page + sizeof(PenstockError), witness, witnessBytes);
    if (signalStacks.load()) {
      stack_t before{}, mine{};
      mine.ss_sp = at + page + errorBytes + page;
      mine.ss_size = stackBytes;
      ownsStack = ::sigaltstack(nullptr, &before) == 0 && (before.ss_flags & SS_DISABLE) != 0 && ::sigaltstack(&mine, nullptr) == 0;
    }
    mark = &spare;
    for (std::size_t i = 0; i < markCount; ++i) {
      bool free = false;
      if (marks[i].taken.compare_exchange_strong(free, true)) {
        mark = &marks[i];
        std::size_t used = marksUsed.load();
        while (used < i + 1 && !marksUsed.compare_exchange_weak(used, i + 1)) {
        }
        break;
      }
    }
    own = mark;
  }
  ~ThreadCalls() {
    if (memory == MAP_FAILED || mark->plugin.load() != nullptr) { // a plugin ends the process: who it was is still to be told
      return;
    }
    if (ownsStack) {
      stack_t none{};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
    own = nullptr;
    mark->plugin.store(nullptr);
    mark->taken.store(false);
    ended = true;
    ::munmap(memory, bytes);
  }
  ThreadCalls(const ThreadCalls &) = delete;
  ThreadCalls &operator=(const ThreadCalls &) = delete;

  /// Of this thread, or NULL where there is no memory for it or the thread is ending.
  static ThreadCalls *get() {
    if (ended) {
      return nullptr;
    }
    static thread_local ThreadCalls calls;
    return calls.memory == MAP_FAILED ? nullptr : &calls;
  }

  CallMark *mark = nullptr;
  PenstockError *error = nullptr;

private:
  static thread_local bool ended;
  void *memory = MAP_FAILED;
  std::size_t page = 0, bytes = 0, stackBytes = 0;
  bool ownsStack = false;
  CallMark spare; // where all marks are taken: the thread has a name, and is not watched
};

thread_local bool ThreadCalls::ended = false;

/// Whether the plugin wrote behind the end of its error; makes the witness whole again.
bool overran(PenstockError *error) {
  auto *behind = reinterpret_cast<unsigned char *>(error) + sizeof(PenstockError);
  const bool touched = std::any_of(behind, behind + witnessBytes, [](unsigned char byte) { return byte != witness; });
  if (touched) {
    std::memset(behind, witness, witnessBytes);
  }
  return touched;
}

} // namespace

CallMark *callMarks() { return marks; }
std::size_t callMarksUsed() { return marksUsed.load(); }
const CallMark *ownCallMark() { return own; }
void tellEntries(std::atomic<const char *> *place) { told = place; }
void wantSignalStacks() { signalStacks.store(true); }

const PluginLabel *labelOf(const PluginManifest &manifest) {
  static std::mutex mutex;
  static auto *const known = new std::map<std::string, std::unique_ptr<PluginLabel>>;
  const std::lock_guard<std::mutex> guard(mutex);
  std::unique_ptr<PluginLabel> &label = (*known)[fmt::format("{} {} {}", kindName(manifest.kind), manifest.name, manifest.library)];
  if (label == nullptr) {
    label = std::make_unique<PluginLabel>();
    label->kind = kindName(manifest.kind);
    label->name = printable(manifest.name);
    label->library = printable(manifest.library);
  }
  return label.get();
}

Status brokenContract(const PluginLabel &plugin, const char *entry, const std::string &reason) {
  return environmentError(fmt::format("the {} `{}` broke its contract in `{}`: {}; please tell its author (its library is {})", plugin.kind,
                                      plugin.name, entry, reason, plugin.library));
}

PluginCall::PluginCall(const PluginLabel &plugin, const char *entry) : plugin(plugin), entry(entry) {
  ThreadCalls *const thread = ThreadCalls::get();
  if (thread == nullptr) {
    return;
  }
  mark = thread->mark;
  text = thread->error;
  std::memset(text, 0, sizeof *text);
  outerPlugin = mark->plugin.load(std::memory_order_relaxed);
  outerEntry = mark->entry.load(std::memory_order_relaxed);
  mark->calls.store(mark->calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  mark->entry.store(entry, std::memory_order_relaxed);
  mark->plugin.store(&plugin, std::memory_order_release);
  if (told != nullptr) {
    told->store(entry);
  }
  rounding = roundingNow();
}

PluginCall::~PluginCall() {
  if (mark == nullptr) {
    return;
  }
  if (isForkOfPlugin()) {
    endForkOfPlugin(plugin, entry);
  }
  roundAgain(rounding);
  mark->calls.store(mark->calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  mark->entry.store(outerEntry, std::memory_order_relaxed);
  mark->plugin.store(outerPlugin, std::memory_order_release);
  if (told != nullptr) {
    told->store(outerEntry);
  }
}

Status PluginCall::judge(CallEnd end, std::int32_t returned) {
  if (end == CallEnd::noMemory) {
    return environmentError(fmt::format("there is not enough memory for `{}` of the {} `{}` (its library is {})", entry, plugin.kind,
                                        plugin.name, plugin.library));
  }
  if (overran(text)) {
    return brokenContract(plugin, entry, fmt::format("it wrote more than the {} bytes that an error has room for", sizeof text->text));
  }
  if (end == CallEnd::threw) {
    return brokenContract(plugin, entry, "an exception came out of it");
  }
  if (returned == 0) {
    return {};
  }
  if (returned == PENSTOCK_UNEXPECTED) {
    return brokenContract(plugin, entry, "it failed by an exception that has no sentence for a person");
  }
  const std::size_t size = ::strnlen(text->text, sizeof text->text);
  if (size == 0) {
    return brokenContract(plugin, entry, "it failed without a reason");
  }
  if (size == sizeof text->text) {
    return brokenContract(plugin, entry, "the text of its error has no end");
  }
  return invalidInput(
      fmt::format("the {} `{}` says in `{}`: {}", plugin.kind, plugin.name, entry, printableLines(std::string_view(text->text, size))));
}

bool judgeText(PenstockString text, std::size_t limit, std::string &reason) {
  if (text.size > limit) {
    reason = fmt::format("has {} bytes, at most {} are taken", text.size, limit);
  } else if (text.size > 0 && text.data == nullptr) {
    reason = "is a null pointer";
  } else if (!isUtf8(std::string_view(text.data, text.size))) {
    reason = "is not UTF-8";
  } else {
    return true;
  }
  return false;
}

} // namespace penstock
