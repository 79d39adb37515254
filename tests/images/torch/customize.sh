# Runs on the machine, with the image's root folder as $1. PyTorch's tests alone need what goes here.
set -e
(cd "$1/usr/lib/python3/dist-packages" && rm -rf hypothesis sympy torch/test)
chroot "$1" python3 -B -c 'import torch.distributed.run; assert torch.distributed.is_gloo_available()'
