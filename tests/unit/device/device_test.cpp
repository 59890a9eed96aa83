// The test device: memory that only launches see, copies that are counted, work that is late.
#include "runtime/device/test_device.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace penstock;

namespace {

void add(const PenstockCall *call, const std::int64_t *numbers) { reinterpret_cast<std::int64_t *>(call->arena)[0] += numbers[0]; }

struct Adding {
  explicit Adding(std::int64_t number, void *memory) : number(number) {
    step = {add, &this->number, nullptr};
    entry.steps = {1, sizeof step, &step};
    launch.entry = &entry;
    launch.call.arena = static_cast<char *>(memory);
  }
  std::int64_t number;
  PenstockStep step{};
  PenstockEntry entry{};
  Launch launch;
};

TEST(TestDeviceDeathTest, ItsMemoryIsReadByLaunchesAlone) {
  const auto device = TestDevice::make("");
  ASSERT_TRUE(device.ok());
  const auto memory = DeviceMemory::zeros(**device, 5000, "a test");
  ASSERT_TRUE(memory.ok());
  EXPECT_DEATH((void)*static_cast<volatile char *>(memory->data()), "");
  EXPECT_DEATH(*static_cast<volatile char *>(memory->data()) = 1, "");
}

TEST(TestDevice, RunsWorkLateAndInOrder) {
  const auto device = TestDevice::make("", 2);
  ASSERT_TRUE(device.ok());
  const auto memory = DeviceMemory::zeros(**device, 8, "a test");
  ASSERT_TRUE(memory.ok());
  auto stream = (*device)->openStream();
  ASSERT_TRUE(stream.ok());
  Adding one(1, memory->data()), ten(10, memory->data()), hundred(100, memory->data());
  std::int64_t start = 7, after[3] = {};
  const auto step = [&](Adding &what, std::int64_t *to) {
    EXPECT_TRUE((*stream)->launch(what.launch).ok());
    EXPECT_TRUE((*stream)->copyOut(to, memory->data(), sizeof(*to)).ok());
    return (*stream)->ticket();
  };
  EXPECT_TRUE((*stream)->copyIn(memory->data(), &start, sizeof(start)).ok());
  const Ticket first = step(one, &after[0]), second = step(ten, &after[1]);
  EXPECT_EQ((*device)->counts().launches, 0) << "two may wait";
  const Ticket third = step(hundred, &after[2]);
  EXPECT_EQ((*device)->counts().launches, 1);
  EXPECT_EQ(after[0], 0) << "its copy still waits";
  EXPECT_TRUE((*stream)->wait(second).ok());
  EXPECT_EQ(after[0], 8);
  EXPECT_EQ(after[1], 18);
  EXPECT_EQ(after[2], 0);
  EXPECT_TRUE((*stream)->done(first));
  while (!(*stream)->done(third)) {
  }
  EXPECT_EQ(after[2], 118);
  const DeviceCounts counts = (*device)->counts();
  EXPECT_EQ(counts.launches, 3);
  EXPECT_EQ(counts.copiesIn, 1);
  EXPECT_EQ(counts.copiesOut, 3);
  EXPECT_EQ(counts.bytesIn, 8);
  EXPECT_EQ(counts.bytesOut, 24);
  EXPECT_EQ(counts.mostWaiting, 3);
}

TEST(TestDevice, GivesReleasedMemoryAgainAsZeros) {
  const auto device = TestDevice::make("");
  ASSERT_TRUE(device.ok());
  void *place = nullptr;
  {
    const auto memory = DeviceMemory::zeros(**device, 8, "a test");
    ASSERT_TRUE(memory.ok());
    place = memory->data();
    auto stream = (*device)->openStream();
    Adding one(1, place);
    EXPECT_TRUE((*stream)->launch(one.launch).ok());
  }
  const auto memory = DeviceMemory::zeros(**device, 8, "a test");
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(memory->data(), place);
  auto stream = (*device)->openStream();
  std::int64_t found = 5;
  EXPECT_TRUE((*stream)->copyOut(&found, memory->data(), sizeof(found)).ok());
  EXPECT_TRUE((*stream)->wait((*stream)->ticket()).ok());
  EXPECT_EQ(found, 0);
  EXPECT_FALSE(DeviceMemory::zeros(**device, std::size_t{1} << 60, "too much").ok());
}

} // namespace
