# Builds one module from these sources, as an image that holds nothing else: /plugin.wasm, where Istio and Envoy Gateway
# look for it.
#
#   docker build --build-arg MODULE=jwt-auth --tag registry.example.com/sluice/jwt-auth:0.1.0 .
#
# MODULE is any filter, or sluice for all of them. What `make oci` makes is the same module, in an image that is the same
# bytes everywhere, with its bill of materials.

FROM rust:1.95 AS build
ARG MODULE=sluice
WORKDIR /sluice
COPY . .
RUN make dist/$MODULE.wasm

FROM scratch
ARG MODULE=sluice
LABEL org.opencontainers.image.title=$MODULE \
      org.opencontainers.image.version=0.1.0 \
      org.opencontainers.image.licenses=Apache-2.0
# One layer, and no other after it: the last layer is where they look.
COPY --from=build /sluice/dist/$MODULE.wasm /plugin.wasm
