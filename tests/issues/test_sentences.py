"""Sentences end where a reader would say so, in Korean and English, whatever stands between full stops."""

import pytest

from issues.parse.sentences import sentences

# A double bar stands where one sentence ends and the next begins.
MARKED = """
부엉이는 밤에 배웁니다. ‖낮에는 쉽니다.
부엉이는 밤에 배운다. ‖낮에는 쉰다.
토큰 수를 줄였습니다.‖다음 실험도 같았습니다.
정확도가 높습니다.‖GPT-4보다 빠릅니다.
정확도는 41.5%입니다. ‖비용은 2.8배 줄었습니다.
버전 v2.1.3을 씁니다. ‖속도가 올랐습니다.
Owl v1.5는 빠릅니다. ‖iw-SFT는 더 빠릅니다.
학습이 끝났습니다. ‖vLLM을 그대로 씁니다.
결과가 좋습니다. ‖o1은 43.4%를 얻었습니다.
모델(예: Llama-3.1-8B. 작은 모델)을 썼습니다. ‖결과는 같았습니다.
왜 그럴까요? ‖저자들은 답을 찾았습니다.
"왜 그럴까?"라는 질문에 답합니다. ‖답은 간단합니다.
어떤 벤치마크를 믿을 것인가? 라는 질문을 다룹니다. ‖답은 표본의 크기입니다.
자유롭고 싶어요! ‖라마는 그렇게 말했습니다.
Kim et al. 은 이 문제를 먼저 다뤘습니다. ‖이 논문은 그 뒤를 잇습니다.
Lee et al. (2024)의 방법을 씁니다. ‖비용이 같습니다.
검색(e.g. 웹 검색)을 씁니다. ‖답이 정확해집니다.
RAG vs. 긴 문맥을 비교합니다. ‖긴 문맥이 낫습니다.
그 결과는... 놀라웠습니다. ‖모두가 다시 쟀습니다.
생각이 길어집니다… ‖그래도 답은 같습니다.
순위, 태그, 날짜 등. ‖이 모두를 남깁니다.
세 가지를 합니다. ‖1. 표시합니다. ‖2. 합칩니다.
다음과 같습니다: 1. 표시합니다. ‖2. 합칩니다.
성능 향상을 확인함. ‖비용도 줄임.
그림을 보면 됨. ‖표는 없음.
“먼저 생각하라. 그리고 답하라.”라는 지시를 씁니다. ‖효과가 있습니다.
'조기에 포기'하는 일이 많습니다. ‖계획이 없기 때문입니다.
모델이 답합니다.” ‖사람은 듣습니다.
AIME 2024에서 66.7%입니다. ‖SWE-bench는 47.3%입니다.
이 논문은 2024년에 나왔습니다. ‖2025년에 고쳤습니다.
코드는 https://a.example/v1.2/run.py 에 있습니다. ‖데이터도 있습니다.
매개변수는 1.5B부터 32B까지입니다. ‖학습에는 H100을 썼습니다.
정말 그렇죠. ‖누구나 압니다.
긴 답이 낫다.‖짧은 답이 낫다.
가. 나. 다. 라의 순서로 적습니다.
We introduce Owl. ‖It learns at night.
We introduce Owl v1.5. ‖It learns at night.
Owl reaches 41.5% on AIME 2024. ‖Hawk reaches 12%.
Kim et al. proposed Owl. ‖We extend it.
We follow Kim et al. ‖We train at night.
Models (e.g., Llama 3.1) waste less. ‖Others waste more.
Models, e.g. Llama and Qwen, waste less. ‖Others waste more.
Tokens, i.e. Words, are counted. ‖Then they are summed.
See Fig. 3 for details. ‖Section 4 has more.
As Eq. 2 shows, it converges. ‖The rate is linear.
Dr. Park wrote it. ‖Prof. Kim read it.
Models by A. B. Baker waste less. ‖They are small.
It runs on the U.S. Government's machines. ‖They are old.
It uses tags, links, dates, etc. ‖We drop all of them.
Owl vs. Hawk is a fair match. ‖Neither wins.
Which model is best? ‖We compare ten.
Is attention all you need? ‖This paper says no!  ‖Others disagree.
We revisit "Is it true? Yes." and find that it is not. ‖The cause is length.
The question “Why? And how?” is open. ‖We answer it.
It fails (see the appendix. It is long.) in most cases. ‖We repair it.
The metrics are reliable.‖Our findings say otherwise.
We use torch.Tensor and nn.Module in all runs. ‖They are standard.
The code is at github.com/owl/owl.Owl is free.
It gives up early... and fails. ‖Nobody knows why.
It keeps thinking. . . and never stops. ‖We stop it.
The approach works. ‖vLLM serves it. ‖gpt-oss-120b judges it.
This is version 2. ‖We released it in 2025. ‖It has 3 parts.
There are three rules. ‖1. Mark. ‖2. Merge. ‖3. Drop.
It is No. 1 on the list. ‖No. 2 is Hawk.
Is it safe? ‖No. ‖We show an attack.
It takes 5 p.m. traffic into account. ‖Nights are quiet.
Yahoo! Answers is the source. ‖Quora is not.
It has (1) a reader. ‖(2) a writer. ‖Both are small.
Tags such as <think> . . . </think> are removed. ‖The rest stays.
The score is 0.83. ‖That is high.
Is it “solved”? ‖Not yet.
It solves Type I. ‖We leave Type II.
"""
TRICKY = [line for line in MARKED.strip().splitlines() if line]


@pytest.mark.parametrize("marked", TRICKY)
def test_a_tricky_text_is_split_between_its_sentences(marked: str) -> None:
    expected = [sentence.strip() for sentence in marked.split("‖")]
    assert list(sentences(marked.replace("‖", ""))) == expected
