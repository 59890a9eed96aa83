// Names of devices, and what opens them.
#include "runtime/device/devices.h"

#include "runtime/base/device_names.h"

#include <gtest/gtest.h>

using namespace penstock;

namespace {

Result<Device *> openOther(int number) { return environmentError("number " + std::to_string(number)); }
const DeviceKind other("other", openOther);

TEST(Devices, AreOpenedByName) {
  const auto cpu = openDevice("cpu");
  ASSERT_TRUE(cpu.ok());
  EXPECT_TRUE((*cpu)->runs("avx2"));
  EXPECT_FALSE((*cpu)->runs("other"));
  EXPECT_EQ(openDevice("other").status().message(), "number 0");
  EXPECT_EQ(openDevice("other(13)").status().message(), "number 13");
  for (const char *const none : {"", "gpu", "other(", "other()", "other(-1)", "other(1)x", "other(1", "other(99999999999)", "(1)"}) {
    const auto opened = openDevice(none);
    ASSERT_FALSE(opened.ok()) << none;
    EXPECT_EQ(opened.status().message(),
              "there are no devices `" + std::string(none) + "` here; compute on the CPU by `--set target.device=cpu`");
  }
}

TEST(Devices, HaveTextsAndLevels) {
  EXPECT_EQ(deviceText({"other", 0}), "other");
  EXPECT_EQ(deviceText({"other", 7}), "other(7)");
  EXPECT_EQ(levelOfDevice("cpu"), "");
  EXPECT_EQ(levelOfDevice("other(7)"), "other");
}

} // namespace
