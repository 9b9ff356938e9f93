# The program on the CPU: docker build -t r2pac . && docker run --rm -v "$PWD":/data -w /data r2pac train --data FILE
FROM debian:bookworm-slim AS build
COPY . /r2pac
WORKDIR /r2pac
RUN ./setup.sh r2pac && cmake --install build --prefix /opt/r2pac --component program --strip

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libdnnl2 libgomp1 libhdf5-103-1 libzip4 gnuplot-nox \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/r2pac /usr/local
ENTRYPOINT ["r2pac"]
