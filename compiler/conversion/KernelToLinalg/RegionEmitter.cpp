#include "compiler/conversion/KernelToLinalg/RegionEmitter.h"

using namespace mlir;

namespace penstock {

// A function of the number of rows alone: sums over rows have one partial result a block.
Value RegionEmitter::blockSize(const nn::RowsOf &rows, int64_t most) {
  if (layout.onDevice) {
    Value even = arith::CeilDivUIOp::create(b, loc, rowsOfBuffer(rows), constant(devicePartials));
    return sums ? arith::MaxUIOp::create(b, loc, even, constant(1)).getResult() : constant(1);
  }
  if (rows.kind == nn::RowsOf::Kind::fixed) {
    return constant(most);
  }
  Value total = rowsOfBuffer(rows);
  Value rounds = arith::CeilDivUIOp::create(b, loc, total, constant(most * blockPieces));
  Value pieces = arith::MaxUIOp::create(b, loc, arith::MulIOp::create(b, loc, rounds, constant(blockPieces)), constant(1));
  Value even = arith::CeilDivUIOp::create(b, loc, total, pieces);
  return arith::MaxUIOp::create(b, loc, even, constant(leastBlockRows));
}

/// Of a weight that is read whole, no row.
Value RegionEmitter::blocksOf(const nn::RowsOf &rows, int64_t most) {
  Value total = rowsOfBuffer(rows), size = blockSize(rows, most);
  if (!layout.onDevice) {
    return arith::CeilDivUIOp::create(b, loc, total, size);
  }
  // A GPU divides 32 bits by a few instructions, and 64 by a call.
  Type i32 = b.getI32Type();
  auto narrow = [&](Value v) -> Value { return arith::IndexCastOp::create(b, loc, i32, v); };
  return arith::IndexCastUIOp::create(b, loc, b.getIndexType(), arith::CeilDivUIOp::create(b, loc, narrow(total), narrow(size)));
}

static int64_t widestRow(kernel::RowsOp region, const nn::RowsOf &rows) {
  int64_t widest = 1;
  for (Operation &op : region.getBody().front().without_terminator()) {
    for (Value value : llvm::concat<Value>(op.getOperands(), op.getResults())) {
      const nn::RowsOf own = nn::rowsOf(value.getType());
      widest = std::max(widest, own.kind == nn::RowsOf::Kind::fixed && !(own == rows) ? 1 : nn::widthOf(value.getType()));
    }
  }
  return widest;
}

LogicalResult RegionEmitter::emit(kernel::RowsOp region) {
  const RegionPlan &regionPlan = plan.regions.at(region);
  Operation &first = region.getBody().front().front();
  nn::RowsOf rows = nn::iterationRows(&first);
  sums = !regionPlan.partials.empty();
  LogicalResult result = success();
  if (!layout.onDevice && rows.kind == nn::RowsOf::Kind::fixed && rows.rows <= regionPlan.block) {
    result = emitBlock(region, regionPlan, constant(0), constant(rows.rows), constant(0));
  } else {
    auto blocks = [&] { return blocksOf(rows, regionPlan.block); };
    Work work = workOver(rows, widestRow(region, rows), blocks);
    if (sums && layout.onDevice) {
      work.most = work.section < 0 ? std::min(work.most, devicePartials) : devicePartials;
    }
    parallel(work, [&](Value begin, Value end) {
      Value size = blockSize(rows, regionPlan.block), total = rowsOfBuffer(rows);
      forRange(begin, end, [&](Value block) {
        Value firstRow = arith::MulIOp::create(b, loc, block, size);
        Value last = arith::AddIOp::create(b, loc, firstRow, size);
        Value endRow = arith::MinUIOp::create(b, loc, last, total);
        result = emitBlock(region, regionPlan, firstRow, endRow, block);
      });
    });
  }
  if (failed(result)) {
    return failure();
  }
  if (sums && layout.onDevice) {
    addPartialsOnDevice(rows, regionPlan);
    return success();
  }
  for (Operation &op : region.getBody().front().without_terminator()) {
    if (auto it = regionPlan.partials.find(&op); it != regionPlan.partials.end()) {
      finishPartial(&op, it->second, regionPlan.block);
    }
  }
  return success();
}

LogicalResult RegionEmitter::emitBlock(kernel::RowsOp region, const RegionPlan &regionPlan, Value firstRow, Value endRow, Value block) {
  for (Operation &op : region.getBody().front().without_terminator()) {
    if (auto it = regionPlan.partials.find(&op); it != regionPlan.partials.end()) {
      Value partial = rowView(it->second, block, it->second.width);
      fill(0, partial);
    }
  }
  for (const Stage &stage : regionPlan.stages) {
    if (stage.rows) {
      if (failed(emitRowStage(regionPlan, stage, firstRow, endRow, block))) {
        return failure();
      }
      continue;
    }
    Value rows = arith::SubIOp::create(b, loc, endRow, firstRow);
    for (Operation *op : stage.ops) {
      loc = op->getLoc();
      callKernel(cast<kernel::InvokeOp>(op), firstRow, rows);
    }
  }
  return success();
}

// One function of the program for all sums over rows, of whatever width: it adds partial results, block after block.
func::FuncOp RegionEmitter::addBlocks() {
  constexpr StringLiteral name = "penstock_add_blocks";
  if (auto known = module.lookup<func::FuncOp>(name)) {
    return known;
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(cast<ModuleOp>(module.getOp()).getBody());
  Type bytes = bytesType(), index = b.getIndexType();
  Location here = UnknownLoc::get(b.getContext());
  auto function = func::FuncOp::create(b, here, name, b.getFunctionType({bytes, index, bytes, index, index, index}, {}));
  function.setPrivate();
  Block *block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  Value width = block->getArgument(4), blocks = block->getArgument(5);
  auto row = MemRefType::get({ShapedType::kDynamic}, b.getF32Type());
  Value target = memref::ViewOp::create(b, here, row, block->getArgument(0), block->getArgument(1), ValueRange{width});
  linalg::FillOp::create(b, here, f32Constant(b, here, 0), target);
  Value zero = arith::ConstantIndexOp::create(b, here, 0), one = arith::ConstantIndexOp::create(b, here, 1);
  Value size = arith::MulIOp::create(b, here, width, arith::ConstantIndexOp::create(b, here, 4));
  auto loop = scf::ForOp::create(b, here, zero, blocks, one);
  {
    OpBuilder::InsertionGuard inLoop(b);
    b.setInsertionPointToStart(loop.getBody());
    Value at = arith::AddIOp::create(b, here, block->getArgument(3), arith::MulIOp::create(b, here, loop.getInductionVar(), size));
    Value from = memref::ViewOp::create(b, here, row, block->getArgument(2), at, ValueRange{width});
    AffineMap identity = b.getMultiDimIdentityMap(1);
    linalg::GenericOp::create(b, here, ValueRange{from}, ValueRange{target}, ArrayRef<AffineMap>{identity, identity},
                              ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
                              [&](OpBuilder &nested, Location l, ValueRange args) {
                                Value s = arith::AddFOp::create(nested, l, args[1], args[0]);
                                linalg::YieldOp::create(nested, l, s);
                              });
  }
  func::ReturnOp::create(b, here);
  module.insert(function);
  return function;
}

// All sums of the region at once: a team a column, whose threads share the blocks.
void RegionEmitter::addPartialsOnDevice(const nn::RowsOf &rows, const RegionPlan &regionPlan) {
  SmallVector<std::pair<Operation *, Buffer>> partials;
  for (Operation *op : regionPlan.stages.front().ops) {
    if (auto it = regionPlan.partials.find(op); it != regionPlan.partials.end()) {
      partials.push_back(*it);
    }
  }
  int64_t columns = 0;
  for (auto &[sum, partial] : partials) {
    columns += partial.width;
  }
  parallel(columns, 1, devicePartials, [&](Value column, Value) {
    Value blocks = blocksOf(rows, regionPlan.block);
    int64_t first = 0;
    for (auto &[sum, partial] : partials) {
      const Buffer &to = bufferOf(sum->getResult(0));
      Value here = arith::SubIOp::create(b, loc, column, constant(first));
      Value isHere = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, here, constant(partial.width));
      Value width = constant(partial.width);
      auto branch = scf::IfOp::create(b, loc, isHere, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      auto cellAt = [&](const Buffer &buffer, Value element) {
        Buffer cell = buffer;
        cell.width = 1;
        cell.stride = 0;
        return rowView(cell, element, 1);
      };
      // There are many partial results, of a few rows each: in float64 their sum is as good as one of long runs of rows.
      Value zero = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(0));
      Value all = fold(blocks, zero, Combine::add, [&](Value before, Value block) -> Value {
        Value element = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, block, width), here);
        return arith::AddFOp::create(b, loc, before, arith::ExtFOp::create(b, loc, b.getF64Type(), loadScalar(cellAt(partial, element))));
      });
      storeScalar(arith::TruncFOp::create(b, loc, b.getF32Type(), all), cellAt(to, here));
      first += partial.width;
    }
  });
}

void RegionEmitter::finishPartial(Operation *sum, const Buffer &partial, int64_t block) {
  const Buffer &to = bufferOf(sum->getResult(0));
  nn::RowsOf rows = nn::iterationRows(sum);
  Value blocks = arith::CeilDivUIOp::create(b, loc, rowsOfBuffer(rows), blockSize(rows, block));
  Value toOffset = byteOffset(to), fromOffset = byteOffset(partial), toBase = base(to), fromBase = base(partial);
  func::CallOp::create(b, loc, addBlocks(), ValueRange{toBase, toOffset, fromBase, fromOffset, constant(partial.width), blocks});
}

} // namespace penstock
