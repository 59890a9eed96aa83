// The one way into a plugin. Every call of one of its functions goes through here: it is marked with the plugin and the entry, so
// that whatever happens in it has a name; no exception leaves it; its error text is judged; the rounding mode that it found comes
// back.
#pragma once

#include "runtime/abi/plugin_abi.h"
#include "runtime/base/plugin_manifest.h"
#include "runtime/base/status.h"

#include <cxxabi.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <string>

namespace penstock {

/// What a plugin is called where something is said about it, escaped. Never freed, so that a signal handler may read it.
struct PluginLabel {
  std::string kind, name, library;
  mutable std::atomic<std::uintptr_t> begin{0}, end{0}; // where its library is mapped
};

/// The label of a manifest's plugin; always the same.
const PluginLabel *labelOf(const PluginManifest &manifest);

/// A plugin did what the ABI forbids (environment: nothing in the user's file or data mends it).
Status brokenContract(const PluginLabel &plugin, const char *entry, const std::string &reason);

/// The mark of a thread: which call of a plugin it is in. Read by the signal handler and by the watch.
struct alignas(64) CallMark {
  std::atomic<const PluginLabel *> plugin{nullptr}; // NULL: in none
  std::atomic<const char *> entry{nullptr};
  std::atomic<std::uint64_t> calls{0}; // another number: another call
  std::atomic<bool> taken{false};
};

/// The marks of all threads, and how many of them were ever used.
CallMark *callMarks();
std::size_t callMarksUsed();
/// The mark of this thread, or NULL where it never called a plugin. Safe in signals.
const CallMark *ownCallMark();
/// Where not NULL, every call stores its entry there: how a process that tries a plugin tells its parent how far it came.
void tellEntries(std::atomic<const char *> *place);
/// From now on, threads that call plugins get a stack of their own for signal handlers.
void wantSignalStacks();

enum class CallEnd { returned, threw, noMemory };

/// A call that is under way on this thread, from construction to destruction. `entry` lives for ever.
class PluginCall {
public:
  PluginCall(const PluginLabel &plugin, const char *entry);
  ~PluginCall();
  PluginCall(const PluginCall &) = delete;
  PluginCall &operator=(const PluginCall &) = delete;

  /// False where there is not even the memory for that; the plugin must not be called then.
  bool ready() const { return mark != nullptr; }
  /// For the plugin: empty; what it writes beyond the end is found and does no harm (up to 60 KiB).
  PenstockError *error() { return text; }
  /// What became of the call: of its end, of the number that it returned, and of its error.
  Status judge(CallEnd end, std::int32_t returned);

private:
  const PluginLabel &plugin;
  const char *entry;
  CallMark *mark = nullptr;
  PenstockError *text = nullptr;
  const PluginLabel *outerPlugin = nullptr;
  const char *outerEntry = nullptr;
  unsigned rounding = 0;
};

/// A plugin ends the thread that called it (pthread_exit): says so and ends the process.
[[noreturn]] void endedByPlugin();

/// Runs `work`, out of which nothing comes.
template <typename Work> CallEnd contained(Work &&work) noexcept {
  try {
    work();
    return CallEnd::returned;
  } catch (abi::__forced_unwind &) {
    endedByPlugin();
  } catch (const std::bad_alloc &) {
    return CallEnd::noMemory;
  } catch (...) {
    return CallEnd::threw;
  }
}

/// Calls a plugin: `work` gets the PenstockError to hand on, and returns what the function returned. The error names the plugin,
/// the entry and, where the plugin is at fault, its library: its own sentence (invalid input), a broken contract, or no memory
/// (environment).
template <typename Work> Status callPlugin(const PluginLabel &plugin, const char *entry, Work &&work) {
  PluginCall call(plugin, entry);
  std::int32_t returned = 0;
  const CallEnd end = !call.ready() ? CallEnd::noMemory : contained([&] { returned = work(call.error()); });
  return call.judge(end, returned);
}

/// A pointer, size or count as a plugin gave it: whether `count` items may lie there. NULL is right for none of them.
inline bool plausible(const void *items, std::int64_t count, std::int64_t limit) {
  return count >= 0 && count <= limit && (count == 0 || items != nullptr);
}

/// Whether `text` is a text of at most `limit` bytes in UTF-8; otherwise `reason` says in words that follow its name what it is.
bool judgeText(PenstockString text, std::size_t limit, std::string &reason);

} // namespace penstock
