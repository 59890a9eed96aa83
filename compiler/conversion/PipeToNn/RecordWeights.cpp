#include "compiler/conversion/PipeToNn/RecordWeights.h"

#include "compiler/dialect/Nn/Nn.h"

using namespace mlir;

namespace penstock {

LogicalResult weighRecords(func::FuncOp function, Value weights) {
  using Kind = nn::RowsOf::Kind;
  SmallVector<nn::MeanOp> means(function.getOps<nn::MeanOp>());
  for (nn::MeanOp mean : means) {
    OpBuilder b(mean);
    Location loc = mean.getLoc();
    // The weight of the record of each row; null where the rows are not of records.
    auto weightOf = [&](Value rows) -> Value {
      const nn::RowsOf of = nn::rowsOf(rows.getType());
      if (of.kind == Kind::records) {
        return weights;
      }
      const Type column = nn::withWidth(rows.getType(), 1);
      const bool isDirect = of.kind == Kind::axis && nn::parentOf(of).kind == Kind::records;
      return isDirect ? Value(nn::BroadcastRecordsOp::create(b, loc, column, weights)) : Value();
    };
    auto weighed = [&](Value rows) -> Value {
      Value factor = weightOf(rows);
      return factor ? Value(nn::MulOp::create(b, loc, rows, factor)) : Value();
    };
    const bool isOnce = static_cast<bool>(mean.getWeights().getDefiningOp<nn::ConstantOp>());
    if (isOnce) {
      continue;
    }
    const bool each = nn::isScalar(mean.getWeights().getType());
    const bool counts = each && mean.getWeights().getDefiningOp<nn::RecordCountOp>();
    Value items = nn::isScalar(mean.getItems().getType()) ? Value() : weighed(mean.getItems());
    Value by = counts ? weights : each ? Value() : weighed(mean.getWeights());
    if (!items || !by) {
      return mean.emitError("this loss is made of numbers that are of no record, and `train.weights` says what records count; "
                            "build it of losses such as `cross_entropy` and `mse`");
    }
    mean.getItemsMutable().assign(items);
    mean.getWeightsMutable().assign(by);
  }
  return success();
}

} // namespace penstock
