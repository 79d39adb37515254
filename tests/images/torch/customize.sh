# Runs on the machine, with the image's root folder as $1. PyTorch's tests alone need these.
set -e
cd "$1/usr/lib/python3/dist-packages"
rm -rf hypothesis sympy torch/test
