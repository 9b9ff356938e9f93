# What a joint step and an action should cost on a GPU, by arithmetic: awk -f bench/gpu_floor.awk
# docs/performance.md explains the method and holds the output. Task: observation 72, action 2, chunk 5, batch
# 1024, four hidden layers of 512. Two cases bound the expectation: "low", a good kernel, "high", a poor one.

function ceil(x) { return int(x) == x ? x : int(x) + 1 }
function max(a, b) { return a > b ? a : b }
function min(a, b) { return a < b ? a : b }

# TFLOP/s of each precision, GB/s of memory and (assumed) of the L2 cache, multiprocessors, GHz.
function device(name, fp32, tf32, bf16, memory, l2, sms, clock) {
  devices[++device_count] = name
  peak[name, "fp32"] = fp32 * 1e12; peak[name, "TF32"] = tf32 * 1e12; peak[name, "bf16"] = bf16 * 1e12
  memory_rate[name] = memory * 1e9; l2_rate[name] = l2 * 1e9
  processors[name] = sms; hertz[name] = clock * 1e9
}

# Share of the processors that `tiles` of 128 x 128 outputs keep busy, or four times as many of 64 x 64.
function busy_with(tiles, sms) { return tiles / (ceil(tiles / sms) * sms) }
function busy(tiles, sms) { return max(busy_with(tiles, sms), busy_with(4 * tiles, sms)) }

# One batched product [m, k] x [k, n] of `nets` members: operations, bytes, and its time in the poor case.
function product(nets, m, k, n,    work, traffic, tiles) {
  work = 2 * nets * m * k * n
  traffic = nets * (operand * (m * k + k * n) + 4 * m * n)
  tiles = nets * ceil(m / 128) * ceil(n / 128)
  flop += work; product_bytes += traffic
  serial += max(work / (rate * poor_share * busy(tiles, sms)), traffic / dram)
}

function net_products(forward_nets, forward_rows, trained_nets, rows, inputs, outputs, label,    l) {
  product(forward_nets, forward_rows, inputs, width)
  for (l = 1; l < depth; ++l) product(forward_nets, forward_rows, width, width)
  product(forward_nets, forward_rows, width, outputs)
  product(trained_nets, rows, outputs, width)  # gradient of the last hidden layer
  for (l = 1; l < depth; ++l) product(trained_nets, rows, width, width)
  if (label) product(trained_nets, rows, width, label)
  product(trained_nets, inputs, rows, width)  # gradients of the weights
  for (l = 1; l < depth; ++l) product(trained_nets, width, rows, width)
  product(trained_nets, width, rows, outputs)
  # Beside the products, per hidden value: read the sum, write the value and, if trained, the slope; backward:
  # read gradient and slope, write the gradient.
  pass_bytes += depth * width * (forward_nets * forward_rows * (4 + operand) + trained_nets * rows * 4)
  pass_bytes += depth * width * trained_nets * rows * (4 + 4 + operand)
}

function count_step(name, precision) {
  sms = processors[name]; rate = peak[name, precision]; dram = memory_share * memory_rate[name]
  operand = 4  # activations, slopes and gradients are stored in fp32 in each precision
  flop = product_bytes = pass_bytes = serial = 0
  net_products(8, batch, 4, batch, observation + chunk, 1, 0)  # Q online and target
  net_products(2, 2 * batch, 2, batch, observation, 1, 0)      # V at s and s'
  net_products(1, batch, 1, batch, observation + 32 + chunk + 1, chunk, 32)  # flow
}
function step(name, precision,    low, high, adam) {
  count_step(name, precision)
  adam = optimiser_bytes / dram
  low = max(flop / (rate * good_share), product_bytes / l2_rate[name]) + pass_bytes / l2_rate[name] + adam + \
        path * good_gap
  high = serial + pass_bytes / dram + adam + launches * poor_gap
  printf "| %s | %s | %.3f | %.3f | %.3f | %.2f to %.2f |\n", name, precision, 1e3 * flop / rate,
    1e3 * optimiser_bytes / memory_rate[name], 1e3 * (product_bytes + pass_bytes) / memory_rate[name],
    1e3 * low, 1e3 * high
}

# One block per observation. Time of all blocks: the weights' way from the L2 cache, to one processor and from
# the whole cache; the products on one processor; the activations.
function fused(name, precision, n,    bytes, load, arithmetic, gelu, waves) {
  bytes = (precision == "bf16" ? 2 : 4) * (flow_steps * flow_weights + 2 * critic_weights)
  waves = ceil(n / processors[name])
  load = max(waves * bytes / (64 * hertz[name]), n * bytes / l2_rate[name])
  arithmetic = waves * action_flop / (block_share * peak[name, precision] / processors[name])
  gelu = waves * depth * width * (flow_steps * 2 * candidates + 2 * candidates) * gelu_instructions / \
         (128 * hertz[name])
  fused_low = 1e3 * max(load, arithmetic + gelu)
  fused_high = 1e3 * (load + arithmetic + gelu + (flow_steps + 1) * (depth + 1) * block_gap)
}

# A node's work: its operations or the bytes of its weights, and never below a gap's length.
function node(nets, m, k, n, gap, share,    tiles) {
  tiles = nets * ceil(m / 128) * ceil(n / 128)
  return gap + max(gap, max(2 * nets * m * k * n / (rate * share * busy(tiles, sms)),
                            operand * nets * k * n / l2_rate[current]))
}
# A pass over [rows, width] values beside a product, in the L2 cache.
function pass(rows, gap) { return gap + max(gap, rows * width * (4 + operand) / l2_rate[current]) }
function graph(name, precision, n, gap, share,    rows, t) {
  current = name; sms = processors[name]; rate = peak[name, precision]; operand = precision == "bf16" ? 2 : 4
  rows = 2 * candidates * n
  t = flow_steps * (node(1, rows, chunk, width, gap, share) + depth * pass(rows, gap) + \
                    (depth - 1) * node(1, rows, width, width, gap, share) + \
                    node(1, rows, width, chunk, gap, share) + 2 * 2 * gap)  # last bias, Euler step
  rows = candidates * n
  t += node(2, rows, chunk, width, gap, share) + (depth - 1) * node(2, rows, width, width, gap, share) + \
       depth * pass(2 * rows, gap) + 4 * 2 * gap
  return 1e3 * t
}
function range(low, high) { return sprintf("%.2f to %.2f", low, high) }

BEGIN {
  observation = 72; chunk = 10; batch = 1024; width = 512; depth = 4; flow_steps = 32; candidates = 16
  device("H200", 66.9, 494.7, 989.4, 4800, 5500, 132, 1.83)
  device("H100 SXM", 66.9, 494.7, 989.4, 3350, 5500, 132, 1.83)
  device("RTX 4090", 82.6, 82.6, 165.2, 1008, 5000, 128, 2.52)
  memory_share = 0.9                  # of the memory's rate that a copy reaches
  good_share = 0.8; poor_share = 0.6  # of the peak in a busy processor
  good_gap = 1e-6; poor_gap = 2e-6    # between kernels of a graph that depend on each other
  path = 25.3; launches = 80          # of a joint step, as `r2pac bench step` counts them: in a row, and in all
  block_share = 0.6                   # of the peak of one processor in the fused kernel
  block_gap = 0.5e-6                  # a barrier and the start of the next layer there
  gelu_instructions = 30

  hidden_weights = (depth - 1) * width * width
  critic = (observation + chunk) * width + hidden_weights + width
  value = observation * width + hidden_weights + width
  flow = (observation + 32 + chunk + 1) * width + hidden_weights + width * chunk
  biases = depth * width
  trained = 4 * (critic + biases + 1) + 2 * (value + biases + 1) + (flow + biases + chunk + 3 * 32)
  # Adam reads gradient, weight and two moments and writes three of them; Polyak reads and writes the targets.
  optimiser_bytes = trained * 28 + 4 * (critic + biases + 1) * 8
  # Observation, label and time of the first layer are computed once, or once for each step, and not counted.
  flow_weights = chunk * width + hidden_weights + width * chunk
  critic_weights = chunk * width + hidden_weights + width
  action_flop = 2 * (flow_steps * 2 * candidates * flow_weights + 2 * candidates * critic_weights)

  count_step(devices[1], "fp32")
  printf "Joint step in fp32: %.1f GFLOP in products, which move %.0f MB; passes move %.0f MB,\n" \
    "the optimiser %.0f MB. Times in ms.\n\n", flop / 1e9, product_bytes / 1e6, pass_bytes / 1e6,
    optimiser_bytes / 1e6
  print "| GPU | precision | arithmetic at peak | optimiser's memory traffic | all else in memory | expected |"
  print "|---|---|---:|---:|---:|---:|"
  precisions = split("fp32 TF32 bf16", precision, " ")
  for (d = 1; d <= device_count; ++d) for (p = 1; p <= precisions; ++p) step(devices[d], precision[p])

  printf "\nActions, ms; %.2f GFLOP each.\n\n", action_flop / 1e9
  print "| GPU | precision | fused, 1 observation | fused, 132 | graph of products, 1 | graph of products, 132 |"
  print "|---|---|---:|---:|---:|---:|"
  for (d = 1; d <= device_count; ++d) for (p = 1; p <= precisions; ++p) {
    row = "| " devices[d] " | " precision[p]
    split("1 132", counts, " ")
    for (c = 1; c <= 2; ++c) {
      fused(devices[d], precision[p], counts[c])
      row = row " | " range(fused_low, fused_high)
    }
    for (c = 1; c <= 2; ++c) {
      row = row " | " range(graph(devices[d], precision[p], counts[c], good_gap, good_share),
                            graph(devices[d], precision[p], counts[c], poor_gap, poor_share))
    }
    print row " |"
  }
}
