#include "runtime/plugin/containment.h"

#include "runtime/base/last_checkpoint.h"

#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace penstock {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int exitCode = 4, interruptedCode = 130;
constexpr std::chrono::seconds patience{10};
constexpr std::size_t libraryCount = 1024;
constexpr int fatalSignals[] = {SIGSEGV, SIGBUS,    SIGILL,  SIGFPE,  SIGABRT, SIGTRAP, SIGSYS,
                                SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGXCPU};

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define PENSTOCK_HAS_SANITIZER
#endif
#endif
#if defined(PENSTOCK_HAS_SANITIZER)
constexpr bool ownSignals = false;
#else
constexpr bool ownSignals = true;
#endif

std::atomic<pid_t> process{0}; // that is contained; a child of it is not
std::atomic<bool> forkedByPlugin{false};
std::atomic<bool> ending{false}; // the command ends in order, and libraries are taken apart
std::atomic<bool> terminal{false};
std::atomic<bool (*)()> interrupts{nullptr};
std::atomic<const PluginLabel *> libraries[libraryCount];
std::atomic<std::size_t> librariesKnown{0};
std::atomic<bool> watching{false};
std::atomic<int> handling{0}; // the thread whose crash is being told
struct sigaction before[std::size(fatalSignals)];
std::terminate_handler terminateBefore = nullptr;

bool isContained() { return process.load() == ::getpid(); }

/// One line, put together without memory of the heap.
class Line {
public:
  Line() { *this << (terminal.load() ? "\r\x1b[Kpenstock: " : "penstock: "); }
  Line &operator<<(const char *text) {
    for (; *text != '\0' && used + 1 < sizeof bytes; ++text) {
      bytes[used++] = *text;
    }
    return *this;
  }
  Line &operator<<(std::int64_t number) {
    char digits[24];
    std::size_t count = 0;
    for (; number > 0 || count == 0; number /= 10) {
      digits[count++] = static_cast<char>('0' + number % 10);
    }
    while (count > 0) {
      const char one[] = {digits[--count], '\0'};
      *this << one;
    }
    return *this;
  }
  Line &operator<<(const PluginLabel &plugin) { return *this << "the " << plugin.kind.c_str() << " `" << plugin.name.c_str() << "`"; }
  void write() {
    bytes[used++] = '\n';
    for (std::size_t at = 0; at < used;) {
      const ssize_t done = ::write(STDERR_FILENO, bytes + at, used - at);
      if (done <= 0) {
        return;
      }
      at += static_cast<std::size_t>(done);
    }
  }

private:
  char bytes[4096];
  std::size_t used = 0;
};

/// The end of every line about a process that a plugin ends.
void tellRest(Line &line, const PluginLabel &plugin) {
  line << "; its library is " << plugin.library.c_str();
  if (const std::int64_t step = lastCheckpointStep.load(); step >= 0) {
    line << "; the checkpoint of step " << step << " is good";
  }
  line.write();
}

[[noreturn]] void leave(int code) {
  for (;;) {
    ::syscall(SYS_exit_group, code);
  }
}

const char *nameOf(int signal) {
  switch (signal) {
  case SIGSEGV:
    return "memory that is not there";
  case SIGBUS:
    return "memory that cannot be read";
  case SIGILL:
    return "an instruction that this machine does not have";
  case SIGFPE:
    return "a division that has no result";
  case SIGABRT:
    return "it gave up";
  default:
    return "it asked for that";
  }
}

const PluginLabel *pluginAt(std::uintptr_t address) {
  for (std::size_t i = 0; i < librariesKnown.load(); ++i) {
    const PluginLabel *const plugin = libraries[i].load();
    if (plugin != nullptr && address >= plugin->begin.load() && address < plugin->end.load()) {
      return plugin;
    }
  }
  return nullptr;
}

/// Which plugin this thread is in: the one that was called, or, in a thread of the plugin's own, the one whose code is on the stack
/// (`entry` is NULL then).
const PluginLabel *pluginHere(std::uintptr_t address, const char *&entry) {
  entry = nullptr;
  if (const CallMark *const mark = ownCallMark(); mark != nullptr) {
    if (const PluginLabel *const plugin = mark->plugin.load(std::memory_order_acquire); plugin != nullptr) {
      entry = mark->entry.load();
      return plugin;
    }
  }
  if (const PluginLabel *const plugin = pluginAt(address); plugin != nullptr) {
    return plugin;
  }
  void *frames[64];
  const int count = ::backtrace(frames, static_cast<int>(std::size(frames)));
  for (int i = 0; i < count; ++i) {
    if (const PluginLabel *const plugin = pluginAt(reinterpret_cast<std::uintptr_t>(frames[i])); plugin != nullptr) {
      return plugin;
    }
  }
  return nullptr;
}

std::uintptr_t instructionOf([[maybe_unused]] void *context) {
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP]);
#else
  return 0;
#endif
}

void tellPlace(Line &line, const char *entry) {
  if (entry != nullptr) {
    line << " in `" << entry << "`";
  } else {
    line << (ending.load() ? " at the end of the process" : " in a thread of its own");
  }
}

extern "C" void onFatalSignal(int signal, siginfo_t *info, void *context) {
  const int thread = static_cast<int>(::syscall(SYS_gettid));
  int nobody = 0;
  const bool first = handling.compare_exchange_strong(nobody, thread);
  if (!first && nobody != thread) { // another thread is telling its own crash and ends the process
    for (;;) {
      ::pause();
    }
  }
  const char *entry = nullptr;
  const bool foreign = info->si_code <= 0 && info->si_pid != ::getpid(); // somebody else sent it
  const PluginLabel *const plugin = first && !foreign && isContained() ? pluginHere(instructionOf(context), entry) : nullptr;
  if (plugin != nullptr) {
    Line line;
    line << *plugin << " crashed";
    tellPlace(line, entry);
    line << " (signal " << signal << ": " << nameOf(signal) << ")";
    tellRest(line, *plugin);
    leave(exitCode);
  }
  // Not in a plugin: what happened without us. The instruction runs again and meets the signal's own action.
  for (std::size_t i = 0; i < std::size(fatalSignals); ++i) {
    if (fatalSignals[i] == signal) {
      ::sigaction(signal, &before[i], nullptr);
    }
  }
  handling.store(0);
  if (info->si_code <= 0 || (signal != SIGSEGV && signal != SIGBUS && signal != SIGILL && signal != SIGFPE)) {
    ::raise(signal);
  }
}

void onTerminate() {
  const char *entry = nullptr;
  if (isContained()) {
    if (const PluginLabel *const plugin = pluginHere(0, entry); plugin != nullptr) {
      Line line;
      line << *plugin << " ended the process";
      tellPlace(line, entry);
      line << " by an exception that nobody may catch";
      tellRest(line, *plugin);
      leave(exitCode);
    }
  }
  if (terminateBefore != nullptr) {
    terminateBefore();
  }
  std::abort();
}

/// Says so and leaves where a plugin is about to end the process.
void endedByPluginHere() {
  const char *entry = nullptr;
  const PluginLabel *const plugin = isContained() ? pluginHere(0, entry) : nullptr;
  if (plugin == nullptr) {
    return;
  }
  Line line;
  line << *plugin << " ended the process";
  tellPlace(line, entry);
  tellRest(line, *plugin);
  leave(exitCode);
}

void atExit() {
  if (!ending.load()) {
    endedByPluginHere();
  }
}

/// Looks every half second how long each thread is in its call.
void watch() {
  struct Seen {
    std::uint64_t call = 0;
    Clock::time_point since;
    bool running = false;
  };
  std::vector<std::pair<const PluginLabel *, const char *>> told; // threads that wait for the same need one line
  const auto seen = std::make_unique<std::array<Seen, 2048>>();
  for (;;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const std::size_t count = std::min(callMarksUsed(), seen->size());
    for (std::size_t i = 0; i < count; ++i) {
      const CallMark &mark = callMarks()[i];
      Seen &last = (*seen)[i];
      const std::uint64_t call = mark.calls.load();
      const PluginLabel *const plugin = mark.plugin.load(std::memory_order_acquire);
      if (plugin == nullptr || call != last.call || !last.running) {
        last = {call, Clock::now(), plugin != nullptr};
        continue;
      }
      const char *const entry = mark.entry.load();
      if (Clock::now() - last.since < patience || entry == nullptr || mark.calls.load() != call || !isContained()) {
        continue;
      }
      bool (*const stops)() = interrupts.load();
      const std::pair<const PluginLabel *, const char *> one(plugin, entry);
      if (std::find(told.begin(), told.end(), one) == told.end()) {
        told.push_back(one);
        Line line;
        line << *plugin << ": `" << entry << "` has been running for 10 s; Ctrl-C ends it (its library is " << plugin->library.c_str()
             << ")";
        line.write();
      }
      if (stops != nullptr && stops()) {
        Line line;
        line << "interrupted while `" << entry << "` of " << *plugin << " does not return";
        tellRest(line, *plugin);
        leave(interruptedCode);
      }
    }
  }
}

struct Mapped {
  std::uintptr_t inside, begin = 0, end = 0;
};

int findMapped(dl_phdr_info *info, std::size_t, void *context) {
  auto &wanted = *static_cast<Mapped *>(context);
  std::uintptr_t begin = UINTPTR_MAX, end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type == PT_LOAD) {
      begin = std::min<std::uintptr_t>(begin, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
      end = std::max<std::uintptr_t>(end, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz);
    }
  }
  if (wanted.inside < begin || wanted.inside >= end) {
    return 0;
  }
  wanted.begin = begin;
  wanted.end = end;
  return 1;
}

void startWatch() {
  if (watching.exchange(true)) {
    return;
  }
  sigset_t all, mine; // signals are for the threads that do the work
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &mine);
  try {
    std::thread(watch).detach();
  } catch (const std::system_error &) { // then nobody watches
  }
  ::pthread_sigmask(SIG_SETMASK, &mine, nullptr);
}

} // namespace

void containPlugins(bool (*interrupted)()) {
  interrupts.store(interrupted);
  terminal.store(::isatty(STDERR_FILENO) != 0);
  if (process.exchange(::getpid()) != 0) {
    return;
  }
  if (ownSignals) {
    void *frames[1];
    static_cast<void>(::backtrace(frames, 1)); // loads what it needs now, and not in the handler
    wantSignalStacks();
    struct sigaction action{};
    action.sa_sigaction = onFatalSignal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < std::size(fatalSignals); ++i) {
      ::sigaction(fatalSignals[i], &action, &before[i]);
    }
    terminateBefore = std::set_terminate(onTerminate);
  }
  static_cast<void>(::pthread_atfork(nullptr, nullptr, [] {
    const CallMark *const mark = ownCallMark();
    forkedByPlugin.store(mark != nullptr && mark->plugin.load() != nullptr);
  }));
  std::atexit(atExit);
  std::at_quick_exit(atExit);
}

void releasePlugins() { ending.store(true); }

void releaseSignals() {
  process.store(0);
  for (const int signal : fatalSignals) {
    std::signal(signal, SIG_DFL);
  }
  if (terminateBefore != nullptr) {
    std::set_terminate(terminateBefore);
  }
}

void watchLibrary(const PluginLabel &plugin, const void *inside) {
  Mapped mapped{reinterpret_cast<std::uintptr_t>(inside)};
  ::dl_iterate_phdr(findMapped, &mapped);
  static std::mutex mutex;
  const std::lock_guard<std::mutex> guard(mutex);
  plugin.end.store(0);
  plugin.begin.store(mapped.begin);
  plugin.end.store(mapped.end);
  bool known = false;
  for (std::size_t i = 0; i < librariesKnown.load(); ++i) {
    known = known || libraries[i].load() == &plugin;
  }
  if (!known) {
    const std::size_t at = librariesKnown.load();
    if (at < libraryCount) {
      libraries[at].store(&plugin);
      librariesKnown.store(at + 1);
    }
  }
  if (isContained()) {
    startWatch();
  }
}

bool isForkOfPlugin() { return forkedByPlugin.load(std::memory_order_relaxed); }

void endForkOfPlugin(const PluginLabel &plugin, const char *entry) {
  Line line;
  line << plugin << " made another process, which came back";
  tellPlace(line, entry);
  line << "; that process ends here and the command goes on";
  tellRest(line, plugin);
  leave(exitCode);
}

void endProcess(int code) {
  endedByPluginHere();
  leave(code);
}

void endedByPlugin() {
  endedByPluginHere();
  Line line;
  line << "a plugin ended the thread that had called it";
  line.write();
  leave(exitCode);
}

} // namespace penstock
