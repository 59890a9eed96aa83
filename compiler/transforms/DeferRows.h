// Updates of embedding tables by the rows that a step reads.
//
// A large table that `nn.embedding` or `nn.bag_sum` alone reads in `train_step` gets `update = "deferred"`: its rows are
// refreshed before they are read, its gradient is one row for each id that occurs, and @settle brings all rows up to date.
// What a step does to a row without a gradient is made up for later, operation by operation, so nothing depends on when.
//
// Where the module has the attribute `nn.eager`, such tables get `update = "rows"`: every step updates every row. Tests
// compare the two bit for bit.
#pragma once

#include <memory>

namespace mlir {
class Pass;
}

namespace penstock {
std::unique_ptr<mlir::Pass> createDeferRowsPass(); // --penstock-defer-rows
}
