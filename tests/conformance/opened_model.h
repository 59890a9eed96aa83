// A compiled program ready to be trained, as the runtime opens it.
#pragma once

#include "runtime/cuda/cuda_device.h"
#include "runtime/exec/session.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace penstock::conformance {

struct OpenedModel {
  std::shared_ptr<Model> model;
  std::unique_ptr<TrainingSession> session;
};

/// Whether the tests' programs are for a CUDA device: the driver is that of PENSTOCK_CUDA_DRIVER, the fake one in CI.
inline bool testsDevice() { return std::getenv("PENSTOCK_CUDA_DRIVER") != nullptr; }

/// Whether that is the fake one: then a program's kernels are made for the emulator, as the command makes them.
inline bool testsEmulator() {
  const char *const form = std::getenv("PENSTOCK_CUDA_CODE");
  return form != nullptr && std::strcmp(form, "emulated") == 0;
}

/// The level of the tests' programs: of the device that is tested, else `cpu`.
inline std::string testedLevel(const std::string &cpu) { return testsDevice() ? "cuda" : cpu; }

inline Result<Device *> testedDevice() {
  if (!testsDevice()) {
    return cpuDevice();
  }
  PENSTOCK_ASSIGN(cuda::CudaDevice *const device, cuda::CudaDevice::open(0));
  return static_cast<Device *>(device);
}

/// On the device that the tests' programs run on. The tensors have no values yet; the pool outlives the session.
inline Result<OpenedModel> openModel(const std::string &library, ThreadPool &pool) {
  PENSTOCK_ASSIGN(Device *const device, testedDevice());
  OpenedModel opened;
  PENSTOCK_ASSIGN(opened.model, Model::open(library, *device));
  PENSTOCK_ASSIGN(opened.session, TrainingSession::open(opened.model, pool));
  return opened;
}

} // namespace penstock::conformance
