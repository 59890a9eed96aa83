// RUN: pipe-opt %s --penstock-verify-plan --split-input-file --verify-diagnostics

// The plan of an entry is judged by its attributes alone: each of these was written by hand.
func.func @predict() attributes {kernel.reserved = 0 : i64, kernel.slots = [#kernel.slot<0 + 20 in 1>]} {
  %x = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x @tokens x 5xf32>
  // expected-note@+1 {{the value}}
  %0 = kernel.invoke "segment_sum"(%x) {kernel.places = [#kernel.place<slot 0 section 1>]} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  // expected-error@+1 {{writes slot 0 while it holds a value that is still read}}
  %1 = kernel.invoke "segment_sum"(%x) {kernel.places = [#kernel.place<slot 0 section 1>]} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  nn.output "y", %0 {index = 0 : i64, kernel.to = #kernel.place<output 0>} : !nn.rows<records x 5xf32>
  nn.output "z", %1 {index = 1 : i64, kernel.to = #kernel.place<output 1>} : !nn.rows<records x 5xf32>
  return
}

// -----

// Two slots, and one after the other in one, are fine.
func.func @predict() attributes {kernel.reserved = 0 : i64, kernel.slots = [#kernel.slot<0 + 20 in 1>, #kernel.slot<0 + 20 in 1>]} {
  %x = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x @tokens x 5xf32>
  %0 = kernel.invoke "segment_sum"(%x) {kernel.places = [#kernel.place<slot 0 section 1>]} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %1 = kernel.invoke "segment_sum"(%x) {kernel.places = [#kernel.place<slot 1 section 1>]} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  nn.output "y", %0 {index = 0 : i64, kernel.to = #kernel.place<output 0>} : !nn.rows<records x 5xf32>
  nn.output "z", %1 {index = 1 : i64, kernel.to = #kernel.place<output 1>} : !nn.rows<records x 5xf32>
  return
}

// -----

func.func @predict() attributes {kernel.reserved = 0 : i64, kernel.slots = [#kernel.slot<0 + 16 in 1>]} {
  %x = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x @tokens x 5xf32>
  // expected-error@+1 {{does not fit into its slot}}
  %0 = kernel.invoke "segment_sum"(%x) {kernel.places = [#kernel.place<slot 0 section 1>]} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  return
}

// -----

func.func @predict() attributes {kernel.reserved = 0 : i64, kernel.slots = [#kernel.slot<0 + 20 in 0>]} {
  %x = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x @tokens x 5xf32>
  // expected-error@+1 {{lies in a slot that its entry does not have, or in one of another axis}}
  %0 = kernel.invoke "segment_sum"(%x) {kernel.places = [#kernel.place<slot 0 section 1>]} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  return
}

// -----

func.func @predict() attributes {kernel.reserved = 0 : i64, kernel.slots = [#kernel.slot<0 + 20 in 1>]} {
  %x = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x @tokens x 5xf32>
  // expected-error@+1 {{lies in a slot that its entry does not have, or in one of another axis}}
  %0 = kernel.invoke "segment_sum"(%x) {kernel.places = [#kernel.place<slot 1 section 1>]} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  return
}

// -----

func.func @predict() attributes {kernel.reserved = 0 : i64, kernel.slots = []} {
  %x = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x @tokens x 5xf32>
  // expected-error@+1 {{has a result without a place}}
  %0 = kernel.invoke "segment_sum"(%x) {key = 1 : i64} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  return
}

// -----

// Gradients end where the bytes that are reserved for them end.
func.func @gradient() attributes {kernel.reserved = 64 : i64, kernel.slots = []} {
  %x = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x 17xf32>
  // expected-error@+1 {{writes a gradient behind the bytes that are reserved for them}}
  %0 = kernel.rows "records" -> tensor<17xf32> attributes {kernel.block = 64 : i64, kernel.places = [#kernel.place<gradient 0>], kernel.worker = 0 : i64} {
    %s = nn.column_sum %x {kernel.places = [#kernel.place<gradient 0>]} : !nn.rows<records x 17xf32> -> tensor<17xf32>
    kernel.yield %s : tensor<17xf32>
  }
  return
}

// -----

// What a block keeps in the worker's scratch lies in it.
func.func @predict() attributes {kernel.reserved = 0 : i64, kernel.slots = []} {
  %x = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x 5xf32>
  %0 = kernel.rows "records" -> !nn.rows<records x 5xf32> attributes {kernel.block = 64 : i64, kernel.places = [#kernel.place<output 0>], kernel.worker = 1280 : i64} {
    // expected-error@+1 {{lies behind the worker's scratch}}
    %t = nn.tanh %x {kernel.places = [#kernel.place<worker 1280>]} : !nn.rows<records x 5xf32>
    %n = nn.neg %t {kernel.places = [#kernel.place<output 0>]} : !nn.rows<records x 5xf32>
    kernel.yield %n : !nn.rows<records x 5xf32>
  }
  return
}

// -----

nn.global @table : tensor<7x3xf32> {tensor_class = "parameter", update = "deferred"}

func.func @update() attributes {kernel.reserved = 0 : i64, kernel.slots = []} {
  %ids = nn.input "ids" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x @tokens x 1xi32>
  // expected-error@+1 {{has no place for what the step knows of the rows that it reads}}
  nn.refresh @table, %ids : !nn.rows<records x @tokens x 1xi32>
  return
}
