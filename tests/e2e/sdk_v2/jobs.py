"""Jobs without a pipeline: a processor, an estimator, a transformer and an endpoint, one after the other."""

import sys
from pathlib import Path

import sagemaker
from sagemaker.deserializers import JSONDeserializer
from sagemaker.local import LocalSession
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import JSONSerializer
from steps import IMAGE, estimator, processing_inputs, processing_outputs, processor

kind = sys.argv[1]
session = LocalSession() if kind == "local" else sagemaker.Session()
instance = "local" if kind == "local" else "ml.m5.large"
role = sagemaker.get_execution_role(sagemaker_session=session)
data = session.upload_data("data", session.default_bucket(), "jobs/data")

doubler = processor(session, instance)
doubler.run(code="prepare.py", inputs=processing_inputs(data), outputs=processing_outputs(), logs=False)
outputs = doubler.latest_job.outputs
trainer = estimator(session, instance)
trainer.fit({"train": outputs[0].destination}, logs=False)
print("model", trainer.model_data.rpartition("/")[2])

model = Model(
    image_uri=IMAGE,
    model_data=trainer.model_data,
    entry_point="inference.py",
    source_dir="source",
    role=role,
    predictor_cls=Predictor,
    sagemaker_session=session,
)
predictor = model.deploy(1, instance, serializer=JSONSerializer(), deserializer=JSONDeserializer())
print("answer", predictor.predict(2))
predictor.delete_endpoint()

Path("records").mkdir(exist_ok=True)
Path("records/one.json").write_text("3")
records = session.upload_data("records", session.default_bucket(), "jobs/records")
transformer = model.transformer(1, instance, output_path=f"s3://{session.default_bucket()}/jobs/answers")
transformer.transform(records, content_type="application/json", wait=True, logs=False)
answers = session.read_s3_file(session.default_bucket(), "jobs/answers/one.json.out")
print("transformed", answers)
