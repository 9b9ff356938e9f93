# The log of docs/your-robot.md: awk -v episodes=N -v steps=T -f make_log.awk. A cart is driven along a rail by drivers of
# different boldness. What lies beyond 0.5 costs, and progress earns.
BEGIN {
  srand(4)
  print "position,speed,gap,motor,reward,cost,terminal,timeout"
  for (e = 0; e < episodes; ++e) {
    position = -0.5 + 0.2 * rand(); speed = 0; goal = 0.2 + 0.6 * rand()
    for (t = 0; t < steps; ++t) {
      wish = 4 * (goal - position) - 6 * speed + 0.6 * (rand() - 0.5)
      motor = wish > 1 ? 1 : wish < -1 ? -1 : wish
      printf "%.4f,%.4f,%.4f,%.3f,", position, speed, 0.5 - position, 12 * motor
      before = position; speed = 0.9 * speed + 0.02 * motor; position += speed
      printf "%.4f,%d,0,%d\n", 10 * (position - before), (position > 0.5), (t == steps - 1)
    }
  }
}
