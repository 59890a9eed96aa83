// Built without sanitizers and without builtin functions, so that a thread sanitizer sees the accesses of kernels alone; it is told of
// fibers, barriers and copies here.
#include "tests/cuda/emulator/emulator.h"

#include "runtime/cuda/kernels/device.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

extern "C" {
void emulator_switch(void **from, void *to);
__attribute__((weak)) void *__tsan_get_current_fiber(void);
__attribute__((weak)) void *__tsan_create_fiber(unsigned flags);
__attribute__((weak)) void __tsan_switch_to_fiber(void *fiber, unsigned flags);
__attribute__((weak)) void __tsan_acquire(void *addr);
__attribute__((weak)) void __tsan_release(void *addr);
__attribute__((weak)) void __tsan_read_range(void *addr, unsigned long size);
__attribute__((weak)) void __tsan_write_range(void *addr, unsigned long size);
__attribute__((weak)) void __asan_poison_memory_region(void const volatile *addr, size_t size);
__attribute__((weak)) void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
__attribute__((weak)) void *__asan_region_is_poisoned(void *beg, size_t size);
EmulatedPlace emulated_place;
}

asm(R"(
.text
.hidden emulator_switch
.globl emulator_switch
.type emulator_switch,@function
emulator_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");

namespace penstock::emulator {

namespace {

constexpr int lanes = 32, mostThreads = 1024, mostWarps = mostThreads / lanes;
constexpr std::size_t stackBytes = 256 << 10;
constexpr std::size_t gap = 128; // between pieces of shared memory

enum class State : std::uint8_t { unstarted, ready, atBarrier, atCollective, ended };
enum class Collective : std::uint8_t { none, sync, shuffle, ballot, mma, matrix };

struct Copy {
  unsigned char *to;
  const unsigned char *from;
  int bytes, valid;
};

struct Fiber {
  void *stackPointer = nullptr;
  unsigned char *stack = nullptr;
  std::size_t below = 0; // bytes of the stack above its first one
  char tag = 0;          // of what ran on the stack before
  void *tsan = nullptr;  // where a thread sanitizer watches
};

struct Thread {
  State state = State::unstarted;
  Collective collective = Collective::none;
  const void *site = nullptr;
  Fiber *fiber = nullptr;
  std::vector<Copy> copies;
  std::vector<int> groups; // sizes of the committed ones
  int grouped = 0;         // copies in them
  unsigned barriers = 0, collectives = 0;
  int met = 0; // barriers, skipped ones too
};

/// What the lanes of a warp give each other. Two, as one lane may be at the next collective while another reads the last.
struct Exchange {
  std::uint32_t given[2][lanes][12];
  float sums[2][16][8]; // of mma
  int turn = 0;
};

struct Piece {
  const void *site;
  unsigned char *at;
};

Thread threads[mostThreads];
Exchange exchanges[mostWarps];
std::deque<Fiber> allFibers;
std::vector<Fiber *> freeFibers;
// Where a thread sanitizer watches: a thread's own, as one stack for several orders them. In turn, so that a thread and the same one of the
// next block are not ordered; and not many more than a block has, as the sanitizer tells 255 threads apart, and forgets others.
Fiber ownFibers[mostThreads];
int ownFirst = 0;
Thread *current = nullptr;
void *scheduler = nullptr, *schedulerTsan = nullptr;
void (*body)(void *) = nullptr;
void *context = nullptr;
Launch launched;
bool early = false;
unsigned char *shared = nullptr;
std::size_t sharedAll = 0, sharedUsed = 0;
std::vector<Piece> pieces;
char launchTag[64], endTag[64], barrierTag[4][64], warpTag[mostWarps][4][64];

/// The threads that a pass of the scheduler has yet to run.
struct Pass {
  const int *order = nullptr;
  int next = 0, end = 0;
} pass;

[[noreturn]] void fail(const char *what) {
  std::fprintf(stderr, "emulated GPU: %s (kernel %s, block %d,%d,%d, thread %d)\n", what, launched.name, emulated_place.block[0],
               emulated_place.block[1], emulated_place.block[2], current != nullptr ? emulated_place.thread : -1);
  std::abort();
}

/// Not the library's, which a thread sanitizer would watch.
void copyBytes(void *to, const void *from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    static_cast<unsigned char *>(to)[i] = static_cast<const unsigned char *>(from)[i];
  }
}
void fillBytes(void *to, int value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    static_cast<unsigned char *>(to)[i] = static_cast<unsigned char>(value);
  }
}
template <class T> void copyWords(T *to, const T *from, int count) {
  for (int i = 0; i < count; ++i) {
    to[i] = from[i];
  }
}

bool watched() { return __tsan_create_fiber != nullptr; }
void acquire(void *tag) {
  if (__tsan_acquire != nullptr) {
    __tsan_acquire(tag);
  }
}
void release(void *tag) {
  if (__tsan_release != nullptr) {
    __tsan_release(tag);
  }
}
void noteRead(const void *p, std::size_t bytes) {
  if (__tsan_read_range != nullptr) {
    __tsan_read_range(const_cast<void *>(p), bytes);
  }
}
void noteWrite(void *p, std::size_t bytes) {
  if (__tsan_write_range != nullptr) {
    __tsan_write_range(p, bytes);
  }
}
void check(const void *p, std::size_t bytes, const char *what) {
  if (__asan_region_is_poisoned != nullptr && __asan_region_is_poisoned(const_cast<void *>(p), bytes) != nullptr) {
    fail(what);
  }
}

void fiberMain();

void prepare(Fiber &fiber) {
  if (fiber.stack == nullptr) {
    void *const memory = ::mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      fail("no memory for the stack of a thread");
    }
    ::mprotect(memory, 4096, PROT_NONE);
    fiber.stack = static_cast<unsigned char *>(memory);
    // Else all of them begin in the same lines of the cache.
    static std::size_t made = 0;
    fiber.below = made++ % 64 * 5 * 64;
  }
  void **top = reinterpret_cast<void **>(fiber.stack + stackBytes - fiber.below);
  *--top = nullptr;
  *--top = reinterpret_cast<void *>(&fiberMain); // where the first switch returns to; six registers below
  for (int i = 0; i < 6; ++i) {
    *--top = nullptr;
  }
  fiber.stackPointer = top;
}

int ownRing() { return std::max(launched.threads, 240); }
Fiber &ownFiber(int thread) { return ownFibers[(thread + ownFirst) % ownRing()]; }

Fiber *takeFiber(Thread &thread) {
  if (watched()) {
    Fiber &own = ownFiber(static_cast<int>(&thread - threads));
    prepare(own);
    return &own;
  }
  if (freeFibers.empty()) {
    freeFibers.push_back(&allFibers.emplace_back());
  }
  Fiber *const fiber = freeFibers.back();
  freeFibers.pop_back();
  prepare(*fiber);
  return fiber;
}

Thread *takeNext() {
  while (pass.next < pass.end) {
    Thread &thread = threads[pass.order[pass.next++]];
    if (thread.state == State::unstarted || thread.state == State::ready) {
      return &thread;
    }
  }
  return nullptr;
}

void enter(Thread *thread) {
  current = thread;
  emulated_place.thread = static_cast<int>(thread - threads);
}

/// Goes on with the next thread of the pass, or with the scheduler. `from`: where to keep this stack.
void switchOn(void **from) {
  Thread *const next = takeNext();
  void *to = scheduler;
  void *tsan = schedulerTsan;
  if (next != nullptr) {
    if (next->state == State::unstarted) {
      next->fiber = takeFiber(*next);
    }
    enter(next);
    to = next->fiber->stackPointer;
    tsan = next->fiber->tsan;
  } else {
    current = nullptr;
  }
  if (watched()) {
    __tsan_switch_to_fiber(tsan, 1);
  }
  emulator_switch(from, to);
}

void pause(State state, Collective collective, const void *site) {
  Thread &self = *current;
  self.state = state;
  self.collective = collective;
  self.site = site;
  // Four in turn: a thread may be at the next before another has left this one.
  void *const tag =
      state == State::atBarrier ? barrierTag[self.barriers++ % 4] : warpTag[emulated_place.thread / lanes][self.collectives++ % 4];
  release(tag);
  switchOn(&self.fiber->stackPointer);
  acquire(tag);
}

/// Threads one after another, until one waits: then this stack is that thread's.
void fiberMain() {
  for (;;) {
    Thread &self = *current;
    Fiber *const fiber = self.fiber;
    self.state = State::ready;
    acquire(launchTag);
    if (watched()) {
      acquire(&fiber->tag);
    }
    body(context);
    release(endTag);
    if (watched()) {
      release(&fiber->tag);
    }
    self.state = State::ended;
    self.fiber = nullptr;
    if (!watched()) {
      Thread *const next = takeNext();
      if (next != nullptr && next->state == State::unstarted) {
        next->fiber = fiber;
        enter(next);
        continue;
      }
      if (next != nullptr) {
        --pass.next; // for switchOn
      }
      freeFibers.push_back(fiber); // prepared anew before it is used
    }
    void *unused;
    switchOn(&unused);
    std::abort();
  }
}

void runPass(const int *order, int count) {
  pass = {order, 0, count};
  switchOn(&scheduler);
}

float half(std::uint32_t pair, int which) { return __builtin_bit_cast(float, which == 0 ? pair << 16 : pair & 0xffff0000u); }

/// The product of a warp's fragments, each sum a chain over ascending depth.
void multiply(Exchange &exchange) {
  const auto &given = exchange.given[exchange.turn];
  float a[16][16], b[16][8];
  float (&sums)[16][8] = exchange.sums[exchange.turn];
  for (int lane = 0; lane < lanes; ++lane) {
    const int g = lane / 4, q = lane % 4;
    const std::uint32_t *const from = given[lane];
    for (int e = 0; e < 2; ++e) {
      a[g][2 * q + e] = half(from[0], e);
      a[g + 8][2 * q + e] = half(from[1], e);
      a[g][2 * q + 8 + e] = half(from[2], e);
      a[g + 8][2 * q + 8 + e] = half(from[3], e);
      b[2 * q + e][g] = half(from[4], e);
      b[2 * q + 8 + e][g] = half(from[5], e);
    }
    for (int e = 0; e < 2; ++e) {
      sums[g][2 * q + e] = __builtin_bit_cast(float, from[6 + e]);
      sums[g + 8][2 * q + e] = __builtin_bit_cast(float, from[8 + e]);
    }
  }
  for (int row = 0; row < 16; ++row) {
    for (int k = 0; k < 16; ++k) {
      for (int column = 0; column < 8; ++column) {
        sums[row][column] = __builtin_fmaf(a[row][k], b[k][column], sums[row][column]);
      }
    }
  }
}

/// Whether the threads of the warp may go on from a collective at which all of them are.
bool releaseWarp(int warp) {
  const int first = warp * lanes, end = std::min(first + lanes, launched.threads);
  int waiting = 0, live = 0;
  const Thread *one = nullptr;
  for (int i = first; i < end; ++i) {
    const Thread &thread = threads[i];
    live += thread.state != State::ended ? 1 : 0;
    if (thread.state == State::atCollective) {
      ++waiting;
      if (one != nullptr && (one->site != thread.site || one->collective != thread.collective)) {
        fail("threads of a warp are at different collectives");
      }
      one = &thread;
    }
  }
  if (waiting == 0 || waiting != live) {
    return false;
  }
  if (live != end - first) {
    fail("a collective without some threads of its warp, which ended");
  }
  Exchange &exchange = exchanges[warp];
  if (one->collective == Collective::mma) {
    multiply(exchange);
  }
  exchange.turn ^= 1;
  for (int i = first; i < end; ++i) {
    threads[i].state = State::ready;
  }
  return true;
}

void runBlock(Schedule schedule, const std::vector<int> &order) {
  const int count = launched.threads, warps = (count + lanes - 1) / lanes;
  for (int i = 0; i < count; ++i) {
    Thread &thread = threads[i];
    thread.state = State::unstarted;
    thread.copies.clear();
    thread.groups.clear();
    thread.grouped = 0;
    thread.barriers = thread.collectives = 0;
    thread.met = 0;
    Fiber &own = ownFiber(i);
    if (watched() && own.tsan == nullptr) {
      own.tsan = __tsan_create_fiber(0); // here, as it is ordered behind its maker
    }
  }
  for (;;) {
    bool any = false;
    if (schedule == Schedule::mixed) {
      runPass(order.data(), count);
      for (int warp = 0; warp < warps; ++warp) {
        any = releaseWarp(warp) || any;
      }
    } else {
      for (int k = 0; k < warps; ++k) {
        const int warp = schedule == Schedule::down ? warps - 1 - k : k;
        const int first = k * lanes + (schedule == Schedule::down && k > 0 ? count - warps * lanes : 0);
        const int size = std::min((warp + 1) * lanes, count) - warp * lanes;
        do {
          runPass(order.data() + first, size);
        } while (releaseWarp(warp));
      }
    }
    int ended = 0, waiting = 0;
    for (int i = 0; i < count; ++i) {
      ended += threads[i].state == State::ended ? 1 : 0;
      waiting += threads[i].state == State::atBarrier ? 1 : 0;
    }
    if (ended == count) {
      break;
    }
    if (waiting > 0 && waiting + ended == count) {
      if (ended > 0) {
        fail("a barrier that some threads do not reach, as they ended");
      }
      for (int i = 0; i < count; ++i) {
        threads[i].state = State::ready;
      }
      any = true;
    }
    if (!any) {
      fail("a barrier or collective that not all threads reach");
    }
  }
  ownFirst = (ownFirst + count) % ownRing();
}

/// The threads in the order in which passes take them.
std::vector<int> orderOf(Schedule schedule, int count) {
  std::vector<int> order(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    order[static_cast<std::size_t>(i)] = schedule == Schedule::down ? count - 1 - i : i;
  }
  if (schedule == Schedule::mixed) {
    std::uint64_t random = 88172645463325252u;
    for (int i = count - 1; i > 0; --i) {
      random ^= random << 13, random ^= random >> 7, random ^= random << 17;
      std::swap(order[static_cast<std::size_t>(i)], order[random % static_cast<std::uint64_t>(i + 1)]);
    }
  }
  return order;
}

constexpr std::size_t mostDynamic = 228 << 10, mostStatic = 52 << 10;

std::size_t dynamicRoom() { return (launched.sharedBytes + gap + 127) / 128 * 128; }

/// Memory for the dynamic part and `behind`. Under a thread sanitizer a block has memory of its own, from the allocator that it watches, so
/// that it sees races between blocks and no others; what is freed is ordered behind all blocks before, so it is freed seldom.
void renewShared(std::size_t behind) {
  static std::vector<unsigned char *> old;
  old.push_back(shared);
  if (old.size() == 64) {
    acquire(endTag);
    for (unsigned char *memory : old) {
      std::free(memory);
    }
    old.clear();
  }
  sharedAll = dynamicRoom() + behind;
  shared = static_cast<unsigned char *>(std::aligned_alloc(128, (sharedAll + 127) / 128 * 128));
  if (shared == nullptr) {
    fail("no memory for a block's shared memory");
  }
  sharedUsed = sharedAll;
}

/// Memory of the next block, all NaN, with gaps that may not be touched between its pieces.
void clearShared() {
  if (__asan_unpoison_memory_region != nullptr) {
    __asan_unpoison_memory_region(shared, sharedAll);
  }
  fillBytes(shared, 0xFF, std::max(sharedUsed, dynamicRoom()));
  if (__asan_poison_memory_region != nullptr) {
    __asan_poison_memory_region(shared, sharedAll);
    __asan_unpoison_memory_region(shared, launched.sharedBytes);
  }
  pieces.clear();
  sharedUsed = dynamicRoom();
}

void land(const Copy &copy) {
  const auto bytes = static_cast<std::size_t>(copy.bytes);
  check(copy.to, bytes, "an asynchronous copy writes outside of memory");
  noteWrite(copy.to, bytes);
  if (copy.valid != 0) {
    check(copy.from, bytes, "an asynchronous copy reads outside of memory");
    noteRead(copy.from, bytes);
    copyBytes(copy.to, copy.from, bytes);
  } else {
    fillBytes(copy.to, 0, bytes);
  }
}

using Given = std::uint32_t (*)[12];

/// Gives `words` to the warp, waits, and returns what all lanes gave.
Given exchange(Collective collective, const void *site, const std::uint32_t *words, int count) {
  Exchange &all = exchanges[emulated_place.thread / lanes];
  Given given = all.given[all.turn];
  copyWords(given[emulated_place.thread % lanes], words, count);
  pause(State::atCollective, collective, site);
  return given;
}

std::uint32_t shuffled(const void *site, std::uint32_t v, int lane) {
  const int there = emulated_place.thread / lanes * lanes + lane;
  if (lane < 0 || lane >= lanes || there >= launched.threads) {
    fail("a shuffle from a lane that is not there");
  }
  return exchange(Collective::shuffle, site, &v, 1)[lane][0];
}

/// Whether the barrier that the thread has come to is left out.
bool skipped() { return current->met++ == launched.skippedBarrier; }

void syncWarp(const void *site) {
  if (!skipped()) {
    pause(State::atCollective, Collective::sync, site);
  }
}

struct Registry {
  std::map<std::string_view, const EmulatedKernel *> kernels, whole;
};
Registry &registry() {
  static Registry made;
  return made;
}

} // namespace

void run(const Launch &launch, Schedule schedule, void (*function)(void *), void *with) {
  launched = launch;
  body = function;
  context = with;
  early = schedule == Schedule::down;
  if (launch.threads < 1 || launch.threads > mostThreads || launch.sharedBytes > mostDynamic - gap) {
    fail("a block of no or too many threads, or of too much shared memory");
  }
  if (watched()) {
    schedulerTsan = __tsan_get_current_fiber();
  }
  const std::vector<int> order = orderOf(schedule, launch.threads);
  const std::int64_t x = launch.grid[0], y = launch.grid[1], blocks = x * y * launch.grid[2];
  emulated_place.threads = launch.threads;
  copyWords(emulated_place.grid, launch.grid, 3);
  for (std::int64_t i = 0; i < blocks; ++i) {
    if (watched()) {
      renewShared(i == 0 ? mostStatic : sharedUsed - dynamicRoom());
    } else if (shared == nullptr) {
      renewShared(mostDynamic + mostStatic);
    }
    clearShared();
    release(launchTag);
    const std::int64_t block = schedule == Schedule::down    ? blocks - 1 - i
                               : schedule == Schedule::mixed ? (i % 2 == 0 ? i / 2 : blocks - 1 - i / 2)
                                                             : i;
    emulated_place.block[0] = static_cast<int>(block % x);
    emulated_place.block[1] = static_cast<int>(block / x % y);
    emulated_place.block[2] = static_cast<int>(block / x / y);
    runBlock(schedule, order);
  }
  acquire(endTag);
  body = nullptr;
}

const EmulatedKernel *findKernel(const char *name, bool whole) {
  const auto &all = whole ? registry().whole : registry().kernels;
  const auto found = all.find(name);
  return found != all.end() ? found->second : nullptr;
}

const char *running(int (&block)[3], int &thread) {
  copyWords(block, emulated_place.block, 3);
  thread = emulated_place.thread;
  return body != nullptr ? launched.name : "";
}

} // namespace penstock::emulator

using namespace penstock::emulator;

extern "C" {

unsigned char *emulated_dynamic_shared(void) { return shared; }

void *emulated_static_shared(const void *site, unsigned long bytes) {
  for (const Piece &piece : pieces) {
    if (piece.site == site) {
      return piece.at;
    }
  }
  unsigned char *const at = shared + sharedUsed;
  if (sharedUsed + bytes + gap > sharedAll) {
    fail("too much shared memory");
  }
  sharedUsed = (sharedUsed + bytes + gap + 127) / 128 * 128;
  if (__asan_unpoison_memory_region != nullptr) {
    __asan_unpoison_memory_region(at, bytes);
  }
  fillBytes(at, 0xFF, bytes);
  pieces.push_back({site, at});
  return at;
}

void emulated_sync_block(void) {
  if (!skipped()) {
    pause(State::atBarrier, Collective::none, nullptr);
  }
}
void emulated_sync_warp(void) { syncWarp(__builtin_return_address(0)); }
unsigned emulated_shuffle_xor(unsigned v, int mask) {
  return shuffled(__builtin_return_address(0), v, emulated_place.thread % lanes ^ mask);
}
unsigned emulated_shuffle_from(unsigned v, int lane) { return shuffled(__builtin_return_address(0), v, lane); }

unsigned emulated_ballot(bool v) {
  const std::uint32_t mine = v ? 1 : 0;
  const Given given = exchange(Collective::ballot, __builtin_return_address(0), &mine, 1);
  const int here = std::min(lanes, launched.threads - emulated_place.thread / lanes * lanes);
  unsigned all = 0;
  for (int lane = 0; lane < here; ++lane) {
    all |= given[lane][0] << lane;
  }
  return all;
}

void emulated_mma(float *d, const unsigned *a, const unsigned *b) {
  std::uint32_t mine[10];
  copyWords(mine, a, 4);
  copyWords(mine + 4, b, 2);
  for (int e = 0; e < 4; ++e) {
    mine[6 + e] = __builtin_bit_cast(std::uint32_t, d[e]);
  }
  Exchange &all = exchanges[emulated_place.thread / lanes];
  const float (&sums)[16][8] = all.sums[all.turn];
  exchange(Collective::mma, __builtin_return_address(0), mine, 10);
  const int lane = emulated_place.thread % lanes, g = lane / 4, q = lane % 4;
  copyWords(d, &sums[g][2 * q], 2);
  copyWords(d + 2, &sums[g + 8][2 * q], 2);
}

void emulated_load_matrix(unsigned *r, const void *p, int transposed) {
  if (reinterpret_cast<std::uintptr_t>(p) % 16 != 0) {
    fail("loadMatrix4 of an address that is not a multiple of 16");
  }
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  const std::uint32_t mine[2] = {static_cast<std::uint32_t>(address), static_cast<std::uint32_t>(address >> 32)};
  const Given given = exchange(Collective::matrix, __builtin_return_address(0), mine, 2);
  const int lane = emulated_place.thread % lanes;
  for (int m = 0; m < 4; ++m) {
    std::uint32_t pair[2];
    for (int i = 0; i < 2; ++i) {
      const int row = transposed != 0 ? lane % 4 * 2 + i : lane / 4, column = transposed != 0 ? lane / 4 : lane % 4 * 2 + i;
      const std::uint32_t *const there = given[m * 8 + row];
      const unsigned char *const at = reinterpret_cast<const unsigned char *>(std::uintptr_t{there[1]} << 32 | there[0]) + column * 2;
      check(at, 2, "loadMatrix4 reads outside of memory");
      noteRead(at, 2);
      pair[i] = at[0] | static_cast<std::uint32_t>(at[1]) << 8;
    }
    r[m] = pair[0] | pair[1] << 16;
  }
}

void emulated_copy_async(void *to, const void *from, int bytes, int valid) {
  if ((reinterpret_cast<std::uintptr_t>(to) | (valid != 0 ? reinterpret_cast<std::uintptr_t>(from) : 0)) % static_cast<unsigned>(bytes) !=
      0) {
    fail("an asynchronous copy at an address that is not a multiple of its size");
  }
  const Copy copy = {static_cast<unsigned char *>(to), static_cast<const unsigned char *>(from), bytes, valid};
  if (early) {
    land(copy);
  } else {
    current->copies.push_back(copy);
  }
}

void emulated_commit_copies(void) {
  Thread &thread = *current;
  const int all = static_cast<int>(thread.copies.size());
  thread.groups.push_back(all - thread.grouped);
  thread.grouped = all;
}

void emulated_wait_copies(int left) {
  Thread &thread = *current;
  while (static_cast<int>(thread.groups.size()) > left) {
    const int count = thread.groups.front();
    for (int i = 0; i < count; ++i) {
      land(thread.copies[static_cast<std::size_t>(i)]);
    }
    thread.copies.erase(thread.copies.begin(), thread.copies.begin() + count);
    thread.groups.erase(thread.groups.begin());
    thread.grouped -= count;
  }
}

void emulated_register(const EmulatedKernel *kernel, bool whole) {
  if (!(whole ? registry().whole : registry().kernels).emplace(kernel->name, kernel).second) {
    std::fprintf(stderr, "emulated GPU: two kernels are called %s\n", kernel->name);
    std::abort();
  }
}

std::int32_t penstock_thread_index(void) { return emulated_place.thread; }
std::int32_t penstock_block_index(void) { return emulated_place.block[0]; }
std::int32_t penstock_grid_size(void) { return emulated_place.grid[0]; }
void penstock_sync_block(void) { emulated_sync_block(); }
void penstock_sync_warp(void) { syncWarp(__builtin_return_address(0)); }
std::int32_t penstock_shuffle_xor(std::int32_t bits, std::int32_t mask) {
  return static_cast<std::int32_t>(
      shuffled(__builtin_return_address(0), static_cast<std::uint32_t>(bits), emulated_place.thread % lanes ^ mask));
}
void *penstock_shared(void) { return shared; }
}
