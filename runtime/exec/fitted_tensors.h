// Tensors of the model that are made of fits: `idf` of counts, from how many records of train have each id.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/fits.h"
#include "runtime/exec/model.h"
#include "runtime/exec/run_config.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// Counts the records of train that have each id, for every fit of `fits` that is such counts, writes them to `fitted` and adds their
/// hashes. What `earlier` (NULL: nothing) holds is taken from there; what `fitted` holds already stays, and where it is damaged it is made
/// again and must be the same.
Status fitDocuments(const std::vector<Fit> &fits, const std::shared_ptr<const Dataset> &train, const FittedFolder *earlier,
                    PluginHost &host, FittedFolder &fitted);

/// Gives the fitted tensors of the model their values.
Status fillFittedTensors(Model &model, const std::vector<FittedTensorSpec> &tensors, const FittedFolder &fitted);

} // namespace penstock
