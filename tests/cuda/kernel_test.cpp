#include "tests/cuda/kernel_test.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace penstock::cuda {

TestCard &TestCard::get() {
  static TestCard *const made = new TestCard(); // cards stay open until the process ends
  return *made;
}

TestCard::TestCard() {
  Result<CudaDevice *> opened = CudaDevice::open(0);
  check(opened.status());
  card = *opened;
  Result<std::unique_ptr<Stream>> made = card->openStream();
  check(made.status());
  stream = std::move(*made);
  theCall.stream = static_cast<CudaStream &>(*stream).context();
  if (void *const library = ::dlopen(std::getenv("PENSTOCK_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD); library != nullptr) {
    change = reinterpret_cast<void (*)(int, int)>(::dlsym(library, "penstock_fake_cuda_choose"));
  }
}

void TestCard::check(const Status &status) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.message().c_str());
    std::abort();
  }
}

// The driver's, and not the device's, which are rounded up: so that what lies behind an array's last byte is no memory.
void *TestCard::allocate(std::size_t bytes) {
  CUdeviceptr memory = 0;
  card->use();
  check(card->judge(card->driver().cuMemAlloc_v2(&memory, std::max<std::size_t>(bytes, 1)), "while a test's array was made"));
  return reinterpret_cast<void *>(memory);
}

void TestCard::release(void *memory) {
  wait();
  check(card->judge(card->driver().cuMemFree_v2(reinterpret_cast<CUdeviceptr>(memory)), "while a test's array was released"));
}

void TestCard::copyIn(void *to, const void *from, std::size_t bytes) {
  if (bytes > 0) {
    check(stream->copyIn(to, from, bytes));
    wait();
  }
}

void TestCard::copyOut(void *to, const void *from, std::size_t bytes) {
  if (bytes > 0) {
    check(stream->copyOut(to, from, bytes));
  }
  wait();
}

void TestCard::wait() { check(stream->wait(stream->ticket())); }

void TestCard::choose(int schedule, bool whole) {
  wait();
  if (emulated()) { // a card that is there has its own
    change(schedule, whole ? 1 : 0);
  }
}

} // namespace penstock::cuda
