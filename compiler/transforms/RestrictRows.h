// Computes only the rows that are read: a demand analysis over Nn.
//
//   segment_first(f(x, y))        -> f(segment_first(x), segment_first(y)), f row by row
//   segment_first(attention(qkv)) -> attention_first(segment_first(q), kv), where qkv is made column by column
//
// The demand of a value on a ragged axis is nothing, the first row of every record, or all rows; it is the largest that an
// operation asks of it. An operation that computes every row from the same row of its operands asks of them what is asked of
// itself; everything else asks for all rows. Where no more than first rows are asked of such an operation it is computed for the
// records instead of the axis, whatever stands between it and the pooling and however often its value is read. With `pool(first)` the last
// layer of an encoder thus ends, after its attention, in one row a record; runs before differentiation, so its derivative
// does too, and of its attention only the queries of those rows are computed. Exact: a row's result depends on that row alone, and dropout
// of a record's row is that of its row 0.
#pragma once

#include <memory>

namespace mlir {
class Pass;
}

namespace penstock {
std::unique_ptr<mlir::Pass> createRestrictRowsPass(); // --penstock-restrict-rows
}
