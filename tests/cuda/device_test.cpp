// The CUDA device on the fake driver: memory, copies, tickets, code of a program and of the library, errors that stay.
#include "runtime/cuda/cuda_device.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <numeric>

using namespace penstock;
using namespace penstock::cuda;

namespace {

class CudaDevices : public testing::Test {
protected:
  void SetUp() override {
    const auto opened = CudaDevice::open(0);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    device = *opened;
    auto stream = device->openStream();
    ASSERT_TRUE(stream.ok()) << stream.status().message();
    work = std::move(*stream);
    std::ifstream file(IMAGE, std::ios::binary);
    image.assign(std::istreambuf_iterator<char>(file), {});
  }
  /// A program of one entry, which sums blocks of 256 numbers from parameters into the arena.
  struct Sums {
    Sums(const std::string &image, const char *kernel) {
      code = {kernel, PENSTOCK_CODE_PTX, 0, image.data(), static_cast<std::int64_t>(image.size()), 256, 1024};
      program.level = "cuda";
      program.code = {1, sizeof code, &code};
      step = {run, &blocks, nullptr};
      entry.steps = {1, sizeof step, &step};
    }
    static void run(const PenstockCall *call, const std::int64_t *numbers) {
      const float *x = call->parameters;
      char *sums = call->arena;
      void *arguments[] = {&x, &sums};
      penstock_launch(call, 0, numbers[0], arguments, 2);
    }
    std::int64_t blocks = 3;
    PenstockDeviceCode code{};
    PenstockProgram program{};
    PenstockStep step{};
    PenstockEntry entry{};
  };

  CudaDevice *device = nullptr;
  std::unique_ptr<Stream> work;
  std::string image;
};

TEST_F(CudaDevices, MemoryIsZerosWhereAskedAndCopiesAreDoneWithTheirTicket) {
  constexpr std::size_t bytes = 4099;
  const auto memory = DeviceMemory::zeros(*device, bytes, "a test");
  const auto host = DeviceMemory::allocate(device->staging(), bytes, "a test");
  ASSERT_TRUE(memory.ok() && host.ok());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory->data()) % 256, 0u);
  std::fill_n(host->chars(), bytes, 'x');
  ASSERT_TRUE(work->copyOut(host->data(), memory->data(), bytes).ok());
  const Ticket first = work->ticket();
  EXPECT_EQ(work->ticket(), first); // nothing was enqueued behind it
  EXPECT_TRUE(work->done(0));
  EXPECT_EQ(host->chars()[0], 'x'); // late
  ASSERT_TRUE(work->wait(first).ok());
  EXPECT_TRUE(work->done(first));
  EXPECT_EQ(std::count(host->chars(), host->chars() + bytes, 0), static_cast<std::ptrdiff_t>(bytes));
  host->chars()[bytes - 1] = 'y';
  ASSERT_TRUE(work->copyIn(memory->data(), host->data(), bytes).ok());
  const Ticket second = work->ticket();
  ASSERT_TRUE(work->copyOut(host->data(), memory->chars() + bytes - 1, 1).ok());
  EXPECT_GT(work->ticket(), second);
  ASSERT_TRUE(work->wait(work->ticket()).ok());
  EXPECT_EQ(host->chars()[0], 'y');
  ASSERT_TRUE(work->copyIn(memory->data(), nullptr, 0).ok());
}

TEST_F(CudaDevices, AProgramLaunchesItsKernels) {
  const Sums sums(image, "block_sums");
  const auto code = device->load(sums.program, "a test");
  ASSERT_TRUE(code.ok()) << code.status().message();
  std::vector<int> numbers(3 * 256), out(3);
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto from = DeviceMemory::zeros(*device, numbers.size() * 4, "a test"), to = DeviceMemory::zeros(*device, 12, "a test");
  Launch launch;
  launch.entry = &sums.entry;
  launch.code = code->get();
  launch.call.parameters = from->floats();
  launch.call.arena = to->chars();
  ASSERT_TRUE(work->copyIn(from->data(), numbers.data(), numbers.size() * 4).ok());
  ASSERT_TRUE(work->launch(launch).ok());
  ASSERT_TRUE(work->copyOut(out.data(), to->data(), 12).ok());
  ASSERT_TRUE(work->wait(work->ticket()).ok());
  for (int block = 0; block < 3; ++block) {
    EXPECT_EQ(out[static_cast<std::size_t>(block)], 3000000 + 256 * (256 * block) + 255 * 128);
  }
  EXPECT_EQ((*code)->kernels(sums.program), "cuda sm_90");
}

TEST_F(CudaDevices, RefusesProgramsOfOthers) {
  Sums sums(image, "no_such");
  EXPECT_NE(
      device->load(sums.program, "the program `p`").status().message().find("`CUDA_ERROR_NOT_FOUND` while `no_such` of the program `p`"),
      std::string::npos)
      << device->load(sums.program, "the program `p`").status().message();
  sums.program.level = "avx2";
  EXPECT_NE(device->load(sums.program, "the program `p`").status().message().find("the program `p` is for the CPU"), std::string::npos);
  sums.program.level = "cuda";
  EXPECT_FALSE(hostDevice().load(sums.program, "p").ok() && loadForCpu(sums.program, "p").ok());
}

TEST_F(CudaDevices, TellsWhatIsFreeWhereMemoryEnds) {
  const auto memory = DeviceMemory::allocate(*device, std::size_t{1} << 40, "the weights");
  ASSERT_FALSE(memory.ok());
  EXPECT_NE(memory.status().message().find("not enough memory of the card `cuda` for the weights: 1048576 MiB wanted, "), std::string::npos)
      << memory.status().message();
}

TEST_F(CudaDevices, CardsAreCounted) {
  const auto other = CudaDevice::open(1);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.status().message().find("there is no card `cuda(1)`: the NVIDIA driver shows 1 card"), std::string::npos)
      << other.status().message();
}

TEST_F(CudaDevices, AnErrorStaysWithItsStream) {
  const Sums sums(image, "block_sums");
  const auto code = device->load(sums.program, "a test");
  ASSERT_TRUE(code.ok());
  const std::int64_t none = 7; // no such code
  const PenstockStep step = {
      [](const PenstockCall *call, const std::int64_t *numbers) { penstock_launch(call, numbers[0], 1, nullptr, 0); }, &none, nullptr};
  PenstockEntry entry{};
  entry.steps = {1, sizeof step, &step};
  Launch launch;
  launch.entry = &entry;
  launch.code = code->get();
  const Status failed = work->launch(launch);
  EXPECT_FALSE(failed.ok());
  char byte = 0;
  EXPECT_EQ(work->copyIn(&byte, &byte, 1).message(), failed.message());
  EXPECT_FALSE(work->done(work->ticket() + 1));
  EXPECT_EQ(work->wait(work->ticket()).message(), failed.message());
}

} // namespace
