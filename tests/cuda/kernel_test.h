// Launchers on the fake driver: what a test needs of a card.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/cuda/cuda_device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace penstock::cuda {

/// One card, opened once a process, and a stream on it.
class TestCard {
public:
  static TestCard &get();

  void *allocate(std::size_t bytes);
  void release(void *memory);
  void copyIn(void *to, const void *from, std::size_t bytes);
  void copyOut(void *to, const void *from, std::size_t bytes);
  void wait();
  /// From the next wait on.
  void choose(int schedule, bool whole);
  PenstockCall *call() { return &theCall; }

  CudaDevice &device() { return *card; }
  /// The fake driver's, whose tensor cores add one product after another.
  bool emulated() const { return change != nullptr; }

private:
  TestCard();
  void check(const Status &status);

  CudaDevice *card = nullptr;
  void (*change)(int, int) = nullptr;
  std::unique_ptr<Stream> stream;
  PenstockCall theCall{};
};

/// An array on the card.
template <class T> class OnDevice {
public:
  explicit OnDevice(const std::vector<T> &host) : count(host.size()), memory(TestCard::get().allocate(count * sizeof(T))) {
    TestCard::get().copyIn(memory, host.data(), count * sizeof(T));
  }
  ~OnDevice() { TestCard::get().release(memory); }
  OnDevice(const OnDevice &) = delete;
  OnDevice &operator=(const OnDevice &) = delete;
  T *data() const { return static_cast<T *>(memory); }
  std::vector<T> read() const {
    std::vector<T> host(count);
    TestCard::get().copyOut(host.data(), memory, count * sizeof(T));
    return host;
  }

private:
  std::size_t count;
  void *memory;
};

class KernelTest : public testing::Test {
protected:
  void SetUp() override { schedule(0); }
  const PenstockCall *call() { return TestCard::get().call(); }
  void wait() { TestCard::get().wait(); }
  /// 0, 1, 2: as the emulator has them (emulator.h).
  void schedule(int chosen) { TestCard::get().choose(chosen, false); }
  /// Functions of the host that compute whole launches are taken where there are some.
  void wholeLaunches(bool taken) { TestCard::get().choose(0, taken); }
};

} // namespace penstock::cuda
