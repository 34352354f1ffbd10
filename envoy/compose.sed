# What is different about chain.yaml where each part has an address of its own; see docker-compose.yaml.
# A container's ports are only reached from outside if it listens on all of its addresses.
s/{address: 127\.0\.0\.1, port_value: 10000}/{address: 0.0.0.0, port_value: 10000}/
s/{address: 127\.0\.0\.1, port_value: 9901}/{address: 0.0.0.0, port_value: 9901}/
# The upstreams are found by their names.
s/{address: 127\.0\.0\.1, port_value: 8000}/{address: upstream-v1, port_value: 8000}/
s/{address: 127\.0\.0\.1, port_value: 8001}/{address: upstream-v2, port_value: 8001}/
s/type: STATIC$/type: STRICT_DNS/
