// From one model to the entries of the compiled program.
//
// `func.func @model()` reads inputs and parameters and writes `nn.output "loss"` (index 0, where there is one) and one
// `nn.output` an answer. The pass replaces it by
//   @train_step  the loss, marked `nn.differentiate`, and one `nn.apply` as the module's `nn.optimizer` says; left out where
//                the module has no `nn.optimizer` or the model no loss
//                With the module's `nn.accumulate` there are in its place @gradient, which ends with an `nn.accumulate`,
//                and @apply
//   @evaluate    the loss and the answers, without dropout
//   @predict     the answers alone: inputs that only the loss reads are gone
// In each, outputs are numbered from 0 in the order of the model.
#pragma once

#include <memory>

namespace mlir {
class Pass;
}

namespace penstock {
std::unique_ptr<mlir::Pass> createDeriveEntriesPass(); // --penstock-derive-entries
}
