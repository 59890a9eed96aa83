// A compiled program ready to be trained, as the runtime opens it.
#pragma once

#include "runtime/exec/session.h"

#include <memory>
#include <string>

namespace penstock::conformance {

struct OpenedModel {
  std::shared_ptr<Model> model;
  std::unique_ptr<TrainingSession> session;
};

/// On the device that programs for the CPU run on. The tensors have no values yet; the pool outlives the session.
inline Result<OpenedModel> openModel(const std::string &library, ThreadPool &pool) {
  PENSTOCK_ASSIGN(Device *const device, cpuDevice());
  OpenedModel opened;
  PENSTOCK_ASSIGN(opened.model, Model::open(library, *device));
  PENSTOCK_ASSIGN(opened.session, TrainingSession::open(opened.model, pool));
  return opened;
}

} // namespace penstock::conformance
