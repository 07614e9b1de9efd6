"""Members from elsewhere: functions, torch modules, ONNX files, tables of probabilities."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ferembed.estimators import FunctionMember, ONNXMember, StackingEnsemble, TableMember, VotingEnsemble

CLASSES = ["angry", "happy", "sad"]


@pytest.fixture(scope="module")
def model():
    X, y = make_blobs(400, centers=3, n_features=4, cluster_std=4.0, random_state=0)
    names = np.array(CLASSES)[y]
    return LogisticRegression().fit(X[:200], names[:200]), X[200:], names[200:]


def write_table(path, ids, proba, header="face,angry,happy,sad"):
    rows = [",".join(map(str, [name, *row])) for name, row in zip(ids, proba, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def write_linear_onnx(path, weight, bias, *, kind="FLOAT", batch="n"):
    """Logits of a linear map, and the same times two as a second output."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is an extra: pip install 'ferembed[onnx]'")
    onnx = pytest.importorskip("onnx", reason="onnx is an extra: pip install 'ferembed[onnx]'")
    helper, numpy_helper, floats = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["X"], ["x"], to=floats),
            helper.make_node("Gemm", ["x", "W", "b"], ["logits"], transB=1),
            helper.make_node("Add", ["logits", "logits"], ["doubled"]),
        ],
        "softmax",
        [helper.make_tensor_value_info("X", getattr(onnx.TensorProto, kind), [batch, weight.shape[1]])],
        [helper.make_tensor_value_info(name, floats, [batch, len(weight)]) for name in ("logits", "doubled")],
        [numpy_helper.from_array(weight, "W"), numpy_helper.from_array(bias, "b")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def test_functions_give_probabilities_or_logits(model):
    softmax, X, _ = model
    expected = softmax.predict_proba(X)
    by_proba = FunctionMember(softmax.predict_proba, CLASSES)
    by_logits = FunctionMember(softmax.decision_function, CLASSES, output="logits")
    np.testing.assert_allclose(by_proba.predict_proba(X), expected)
    np.testing.assert_allclose(by_logits.predict_proba(X), expected)
    np.testing.assert_array_equal(by_proba.predict(X), softmax.predict(X))
    assert clone(by_proba) is by_proba
    assert by_proba.fit(X) is by_proba
    with pytest.raises(ValueError, match=r"must give shape \(n, 2\); it gave \(200, 3\)"):
        FunctionMember(softmax.predict_proba, ["a", "b"]).predict_proba(X)
    with pytest.raises(ValueError, match="Row 0 of the probabilities"):
        FunctionMember(softmax.decision_function, CLASSES).predict_proba(X)


def test_torch_modules_are_asked_in_evaluation_mode_and_batches(model):
    torch = pytest.importorskip("torch")
    from ferembed.estimators import TorchMember

    softmax, X, names = model
    linear = torch.nn.Linear(4, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(softmax.coef_))
        linear.bias.copy_(torch.tensor(softmax.intercept_))
    module = torch.nn.Sequential(linear, torch.nn.Dropout(0.9)).train()
    member = TorchMember(module, CLASSES, batch_size=64)
    np.testing.assert_allclose(member.predict_proba(X), softmax.predict_proba(X), atol=1e-4)
    assert module.training
    vote = VotingEnsemble([("torch", member), ("softmax", FrozenEstimator(softmax))]).fit(X, names)
    assert vote.score(X, names) > 0.6


def test_tables_answer_by_row_id_in_any_order(tmp_path, model):
    softmax, X, names = model
    proba = softmax.predict_proba(X)
    path = write_table(tmp_path / "softmax.csv", [f"f{i}" for i in range(len(X))], proba)
    member = TableMember(path, ["sad", "angry", "happy"], id_column="face")
    asked = ["f7", "f3", "f7"]
    np.testing.assert_allclose(member.predict_proba(asked), proba[[7, 3, 7]][:, [2, 0, 1]])
    ids = np.array([f"f{i}" for i in range(len(X))])[:, None]
    assert StackingEnsemble([("table", member)]).fit(ids, names).score(ids, names) > 0.6


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("face,angry,happy\na,1,0\n", "lacks the column 'sad'"),
        ("face,angry,happy,sad\na,1,0,0\na,1,0,0\n", "line 3: the face 'a' occurs twice"),
        ("face,angry,happy,sad\na,1,0,0\nb,1,x,0\n", "line 3: angry, happy, sad must be numbers"),
        ("face,angry,happy,sad\na,0.9,0.9,0\n", "line 2: angry, happy, sad must be numbers"),
        ("face,angry,happy,sad\na,1,0\n", "row 2, column 'sad': the row has 3 cells, not 4"),
        ("face,angry,happy,sad\nb,1,0,0\n", "has no row with face 'a'"),
    ],
)
def test_bad_tables_are_named(tmp_path, text, sentence):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        TableMember(path, CLASSES, id_column="face").predict_proba(["a"])


def test_onnx_files_give_what_the_model_gives(tmp_path, model):
    softmax, X, names = model
    write_linear_onnx(
        tmp_path / "softmax.onnx", softmax.coef_.astype(np.float32), softmax.intercept_.astype(np.float32)
    )
    member = ONNXMember(tmp_path / "softmax.onnx", CLASSES, batch_size=64)
    np.testing.assert_allclose(member.predict_proba(X), softmax.predict_proba(X), atol=1e-5)
    assert VotingEnsemble([("onnx", member)]).fit(X, names).score(X, names) > 0.6
    with pytest.raises(FileNotFoundError, match="no ONNX file"):
        ONNXMember(tmp_path / "other.onnx", CLASSES).predict_proba(X)


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE", "UINT8", "INT64"])
@pytest.mark.parametrize("batch", ["n", 1, 8])
def test_onnx_files_of_any_input_type_and_batch_size(tmp_path, model, kind, batch):
    softmax, X, _ = model
    weight, bias = softmax.coef_.astype(np.float32), softmax.intercept_.astype(np.float32)
    write_linear_onnx(tmp_path / "a.onnx", weight, bias, kind=kind, batch=batch)
    rows = np.round(np.abs(X[:21]))
    for asked in (rows, rows.astype(np.uint8), rows[:0], rows[:8]):
        said = ONNXMember(tmp_path / "a.onnx", CLASSES, batch_size=5).predict_proba(asked)
        expected = softmax.predict_proba(asked) if len(asked) else np.empty((0, 3))
        np.testing.assert_allclose(said, expected, atol=1e-5)


def test_an_onnx_files_output_is_chosen_by_name(tmp_path, model):
    softmax, X, _ = model
    write_linear_onnx(tmp_path / "a.onnx", softmax.coef_.astype(np.float32), np.zeros(3, np.float32))
    first = ONNXMember(tmp_path / "a.onnx", CLASSES).predict_proba(X)
    doubled = ONNXMember(tmp_path / "a.onnx", CLASSES, output_name="doubled").predict_proba(X)
    np.testing.assert_allclose(doubled, first**2 / (first**2).sum(axis=1, keepdims=True), atol=1e-5)
    with pytest.raises(ValueError, match="has no output 'scores'; it has logits, doubled"):
        ONNXMember(tmp_path / "a.onnx", CLASSES, output_name="scores").predict_proba(X)


@pytest.mark.parametrize(
    ("kind", "rows", "sentence"),
    [
        ("FLOAT", np.zeros((2, 5)), r"takes rows of shape \(4,\); got \(5,\)"),
        ("UINT8", [[1, 2, 3, 4], [0.5, 0, 0, 0]], "takes uint8, which cannot hold row 1"),
        ("UINT8", [[300, 0, 0, 0]], "takes uint8, which cannot hold row 0"),
        ("FLOAT16", [[1e6, 0, 0, 0]], "takes float16, which cannot hold row 0"),
        ("STRING", [[1, 2, 3, 4]], r"one tensor of numbers; this one takes X \(tensor\(string\)\)"),
    ],
)
def test_rows_that_an_onnx_file_does_not_take_are_told(tmp_path, kind, rows, sentence):
    write_linear_onnx(tmp_path / "a.onnx", np.zeros((3, 4), np.float32), np.zeros(3, np.float32), kind=kind)
    with pytest.raises(ValueError, match=sentence):
        ONNXMember(tmp_path / "a.onnx", CLASSES).predict_proba(rows)


@pytest.mark.parametrize("kind", ["function", "torch", "onnx", "scores"])
def test_a_member_that_answers_nan_is_named_with_its_row(tmp_path, model, kind):
    softmax, X, names = model
    X = X.copy()
    X[7] = np.nan
    if kind == "function":
        member = FunctionMember(lambda X: np.where(np.isnan(X[:, :3]), np.nan, 0.0), CLASSES, output="logits")
    elif kind == "torch":
        torch = pytest.importorskip("torch")
        from ferembed.estimators import TorchMember

        member = TorchMember(torch.nn.Linear(4, 3), CLASSES)
    elif kind == "onnx":
        write_linear_onnx(tmp_path / "a.onnx", softmax.coef_.astype(np.float32), np.zeros(3, np.float32))
        member = ONNXMember(tmp_path / "a.onnx", CLASSES)
    else:
        member = FrozenEstimator(Scores().fit(X, names))
    with pytest.raises(ValueError, match=r"The member first: \w+ answers row 7 with NaN or infinity \(1 such rows\)"):
        VotingEnsemble([("first", member)]).fit(X, names)
    vote = VotingEnsemble([("first", member)]).fit(np.delete(X, 7, axis=0), np.delete(names, 7))
    with pytest.raises(ValueError, match="The member first: .* row 0 "):
        vote.predict(X[7:8])


class Scores(ClassifierMixin, BaseEstimator):
    """Its scores are the first columns."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X[:, :3]


def test_a_rounded_table_is_rescaled(tmp_path, model):
    softmax, X, _ = model
    proba = softmax.predict_proba(X)
    path = write_table(tmp_path / "table.csv", range(len(X)), proba.round(2))
    said = TableMember(path, CLASSES, id_column="face").predict_proba(np.arange(len(X)))
    np.testing.assert_allclose(said.sum(axis=1), 1)
    np.testing.assert_allclose(said, proba, atol=0.011)
    write_table(path, ["a", "b"], [[0.5, 0.5, 0], [0.5, 0.5, 0.03]])
    with pytest.raises(ValueError, match="line 3: angry, happy, sad must be numbers of 0 or more that sum to 1"):
        TableMember(path, CLASSES, id_column="face").predict_proba(["a"])


def test_a_parameter_that_is_set_after_use_counts(tmp_path, model):
    """Whatever was made of the old parameter, a session or a table, must go; a copy takes nothing of it along."""
    softmax, X, _ = model
    proba, ids = softmax.predict_proba(X), np.arange(len(X))
    write_table(tmp_path / "a.csv", ids, proba)
    write_table(tmp_path / "b.csv", ids, proba[:, ::-1])
    table = TableMember(tmp_path / "a.csv", CLASSES, id_column="face")
    table.predict_proba(ids)
    np.testing.assert_allclose(table.set_params(path=tmp_path / "b.csv").predict_proba(ids), proba[:, ::-1])
    np.testing.assert_allclose(table.set_params(classes=CLASSES[::-1]).predict_proba(ids), proba)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(table)).predict_proba(ids), proba)
    with pytest.raises(ValueError, match="lacks the column 'id'"):
        table.set_params(id_column="id").predict_proba(ids)
    weight, bias = softmax.coef_.astype(np.float32), softmax.intercept_.astype(np.float32)
    write_linear_onnx(tmp_path / "a.onnx", weight, bias)
    write_linear_onnx(tmp_path / "b.onnx", weight[::-1].copy(), bias[::-1].copy())
    network = ONNXMember(tmp_path / "a.onnx", CLASSES)
    network.predict_proba(X)
    np.testing.assert_allclose(network.set_params(path=tmp_path / "b.onnx").predict_proba(X), proba[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(network)).predict_proba(X), proba[:, ::-1], atol=1e-5)


def test_without_onnxruntime_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'ferembed\[onnx\]'"):
        ONNXMember(tmp_path / "x.onnx", CLASSES).predict_proba(np.zeros((1, 4)))


def test_estimators_and_evaluation_import_without_torch_faiss_and_matplotlib():
    code = (
        "import sys, ferembed.estimators, ferembed.evaluation;"
        "print(*sorted({'torch', 'faiss', 'matplotlib'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


def test_a_torch_module_an_onnx_file_a_table_and_scikit_learn_vote_together(tmp_path, model):
    """Members that look at one X in their own way: the first column is the row's id, the others are its features."""
    torch = pytest.importorskip("torch")
    from ferembed.estimators import TorchMember

    softmax, X, names = model
    rows = np.column_stack([np.arange(len(X)), X]).astype(np.float32)
    weight = np.column_stack([np.zeros(3), softmax.coef_]).astype(np.float32)
    bias = softmax.intercept_.astype(np.float32)
    too_sure, too_shy = 4.0, 0.3

    module = torch.nn.Linear(5, 3)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(too_sure * weight))
        module.bias.copy_(torch.from_numpy(too_sure * bias))
    write_linear_onnx(tmp_path / "shy.onnx", too_shy * weight, too_shy * bias)
    write_table(tmp_path / "table.csv", range(len(X)), np.full((len(X), 3), [0.5, 0.3, 0.2]))
    table = TableMember(tmp_path / "table.csv", CLASSES, id_column="face")
    features = make_pipeline(FunctionTransformer(lambda rows: rows[:, 1:]), LogisticRegression(C=1e-3))
    members = [
        ("torch", TorchMember(module, CLASSES)),
        ("onnx", ONNXMember(tmp_path / "shy.onnx", CLASSES)),
        ("table", FunctionMember(lambda rows: table.predict_proba(rows[:, 0].astype(int)), CLASSES)),
        ("sklearn", FrozenEstimator(features.fit(rows[:50], names[:50]))),
    ]
    asked, truth = rows[50:], names[50:]
    codes = np.searchsorted(CLASSES, truth)
    vote = VotingEnsemble(members).fit(asked, truth)

    def nll(proba):
        return -np.log(proba[np.arange(len(codes)), codes]).mean()

    calibrated = dict(zip(vote.named_weights_, vote.member_probabilities(asked), strict=True))
    for name, member in members:
        assert nll(calibrated[name]) <= nll(member.predict_proba(asked)) + 1e-9
    assert vote.calibrations_[0].temperature > 2
    assert vote.calibrations_[1].temperature < 0.7
    raw = {name: member.predict_proba(asked) for name, member in members}
    apart = [np.abs(each["torch"] - each["onnx"]).mean() for each in (raw, calibrated)]
    assert apart[1] < 0.2 * apart[0]
    assert vote.named_weights_["table"] < 0.1
    equal = np.mean(list(calibrated.values()), axis=0)
    assert nll(vote.predict_proba(asked)) <= nll(equal) + 1e-9
    assert nll(vote.predict_proba(asked)) <= 1.05 * min(nll(proba) for proba in calibrated.values())
