"""What tells whether a sentence says what its paper does: a table of signs for each language, and the points that they give.

A sign that `says` is a verb of proposing, showing, finding or measuring, or a definition. A sign that `owns` tells that the
sentence is about this paper. A sentence without either is no gist, whatever its points.
"""

import re
from dataclasses import dataclass
from functools import partial

from core.languages import TextLanguage

MIN_POINTS = 4
NAME = "\x00"  # stands for each of the paper's names while the signs are looked for; no stored text has it


@dataclass(frozen=True)
class _Sign:
    points: int
    pattern: str  # the cache of `re` keeps what is compiled from it, because nothing is built at import
    says: bool = False
    owns: bool = False


_sign, _says = _Sign, partial(_Sign, says=True)


# --- Korean: the verb stands at the end ---------------------------------------------

_END = r"\W*$"
_DONE = r"(?:합니다|했습니다|하였습니다|한다|했다|하였다|함|하고자 합니다|하고자 한다|하려 합니다)"
_JOINED = r"(?:하고|하며|하여|해|하는데|하였으며|했으며|하였고|했고|한 뒤|한 후|함으로써)[ ,]"
_PROPOSE = r"(?:제안|소개|제시|도입|발표|출시|고안)"
_MAKE = r"(?:개발|설계|구축|정의|공개|구현|정립|구성|수집|제작|마련)"
_KIND = (
    r"(?:모델|모형|프레임워크|벤치마크|방법|방법론|기법|시스템|데이터셋|데이터 세트|알고리즘|구조|아키텍처|에이전트|도구|라이브러리|"
    r"패러다임|접근법|접근 방식|방식|플랫폼|서베이|연구|전략|파이프라인|모듈|환경|시뮬레이션|시뮬레이터|논문|보고서|제품군|엔진|시리즈|"
    r"트랜스포머|네트워크|신경망|말뭉치|데이터|정책|최적화기|옵티마이저|과제|이론|지표|프로토콜|토크나이저|인코더|디코더|커널)"
)
_OWN_KO = (
    r"(?:본|이|이번|해당) (?:새로운 )?(?:논문|연구|보고서|기술 보고서|서베이|서베이 논문|조사|작업|백서|글|리포트|포지션 페이퍼)"
    r"(?:은|는|에서|에서는|의|이|가)"
)

_LAB = (
    r"(?:구글|딥마인드|오픈AI|OpenAI|앤트로픽|메타|마이크로소프트|엔비디아|NVIDIA|애플|알리바바|텐센트|바이트댄스|딥시크|DeepSeek|미스트랄|사카나|삼성|"
    r"네이버|카카오|카이스트|KAIST|MIT|스탠퍼드|버클리|[가-힣A-Za-z]+ ?(?:대학교?|연구소|연구실))"
)

_KOREAN = (
    # It proposes. A Korean verb of proposing needs no subject to mean this paper's authors.
    _says(
        9,
        rf"(?:{_PROPOSE}{_DONE}|선보(?:입니다|인다|였습니다|였다|임)|내놓(?:습니다|았습니다)){_END}",
        owns=True,
    ),
    _says(9, rf"{_PROPOSE}(?:하는|한) (?:논문|연구|보고서|기술 보고서)(?:입니다|이다){_END}", owns=True),
    _says(8, rf"{_PROPOSE}{_JOINED}|선보이(?:고|며)[ ,]", owns=True),
    _says(6, rf"(?:{_PROPOSE}|{_MAKE})(?:됩니다|된다|되었습니다|되었다){_END}|{_MAKE}{_DONE}{_END}"),
    _says(6, rf"만(?:듭니다|든다|들었습니다|들었다|들어 냅니다|들어 냈습니다){_END}"),
    _says(5, rf"{_MAKE}{_JOINED}"),
    # It defines what the paper brings.
    _says(6, rf"{_KIND}(?:입니다|이다|임){_END}"),
    # It finds or examines. Where no subject is written, these verbs mean this paper's authors, too.
    _says(
        5,
        r"(?:밝(?:힙|힌|혔|혀)|입증|증명|발견|확인|규명|알아냈|찾아냈|논증|파악|분석|조사|탐구|탐색|검토|고찰|연구|논의|살펴(?:봅|본|보았|봤)|다(?:룹|룬|뤘|루었))"
        rf"[가-힣 ]{{0,12}}{_END}",
        owns=True,
    ),
    _says(
        5,
        r"(?:보여\s?(?:줍|준|주었|줬|줌)|보(?:입니다|인다|였습니다|였다|임)|나타났|드러(?:났|냅|내)|관찰|보고(?:합|했|하였|한)|주장|권(?:합|하)|말합니다|지적|정리|설명|"
        rf"조명|재현|추정|개괄|체계화|분류|진단|묻(?:습|는)|초점을 맞)[가-힣 ]{{0,12}}{_END}",
    ),
    _says(4, rf"(?:평가|측정|비교|검증|해결|훈련|학습|적용|결합|통합|활용|달성)[가-힣 ]{{0,8}}{_END}"),
    _says(5, r"(?:실험|평가|분석|조사|측정|비교|시험)(?:한)? 결과[,는]? ", owns=True),
    # It says what the paper's thing does, or measures it.
    _says(4, rf"^(?:제안(?:된|하는|한) )?{NAME}[^.]*[가-힣](?:니다|다){_END}"),
    _says(
        3,
        r"달성|향상|개선|능가|뛰어넘|앞(?:섰|선|서)|기록|감소|절감|단축|절약|줄(?:이|여|였|입|인|었|일|어)|높(?:이|여|였|입|인|아)|올(?:랐|렸|라|립|리)|"
        r"빨(?:라|랐)|빠르|빠른|웃돌|대등|비슷한|필적|맞먹|얻(?:었|습니다|는다)|유지|우수한 (?:성능|성과|결과)|뛰어난 (?:성능|성과)",
    ),
    # It is about this paper.
    _sign(4, NAME, owns=True),
    _sign(1, rf"^(?:제안(?:된|하는|한) )?{NAME}(?:\([^()]*\)|['’”\"])*(?:은|는|이란|란|이라는|라는)[ ,]"),
    _sign(
        2,
        rf"{_OWN_KO}|저희|우리(?:는|의)|저자(?:들)?(?:은|는|이)|연구(?:진|팀|원|자)(?:들)?(?:은|는|이|가)",
        owns=True,
    ),
    _sign(1, rf"^{_LAB}[가-힣A-Za-z ]{{0,12}}(?:은|는|이|가) ", owns=True),
    _sign(1, r"본 (?:방법|접근|프레임워크|시스템|모델|기법|알고리즘)|제안(?:된|하는|한) ", owns=True),
    _sign(
        1,
        r"실험 결과|평가(?:한)? 결과|분석(?:한)? 결과|연구 결과|조사(?:한)? 결과|결과에 따르면|실험을 통해|실험에서",
        owns=True,
    ),
    _sign(1, r"\d\s?(?:%|배|점|편|개|건|시간|만|억|조|포인트|퍼센트|x|×)|\d[BMK]\b", owns=True),
    _sign(1, r"새로운|최초"),
    # It is about the world before.
    _sign(
        -5,
        r"^(?:최근|기존|현재|현존|종래|그러나|하지만|그럼에도|많은|대부분|대다수|일반적|전통적|지금까지|오늘날|그동안|이전|반면|다만|선행|특히 최근)"
        r"(?![^.]{0,60}(?:위해|위하여|달리|극복|보완|확장|넘어))",
    ),
    _sign(
        -6,
        r"(?:한계|어려움|문제|제약|과제|병목|우려|위험|의문|격차|비용|부담)(?:를|을|가|이|로|점|도|에|은|는)?[가-힣 ]{0,12}"
        r"(?:있습니다|있다|겪습니다|겪는다|발생합니다|발생한다|안고|남아|직면|지니|지닙|존재|많습니다|제기|따릅니다|따른다|초래|커집니다|됩니다|된다|입니다)"
        rf"[가-힣 ]{{0,6}}{_END}",
    ),
    _sign(
        -6,
        r"(?:어렵|어려워|부족|못합|못한다|않(?:습|는|았)|떨어집|떨어진|불분명|제한적|요구|필요(?:합|하)|중요(?:합|하|해)|경향이|버릇이|주목받|각광|높아지|급증|활발|"
        rf"쓰입니다|사용됩니다|활용됩니다|의존|일이 많|경우가 많|느려|틀립|시작합니다|관심|여겨|간주)[가-힣 ]{{0,9}}{_END}",
    ),
    _sign(-2, r"(?:지만|으나|음에도|는데도|함에도)(?: 불구하고)?,? "),
    # It is one point among others, hangs on the sentence before, or says little.
    _sign(
        -3,
        r"^(?:또한|더불어|아울러|나아가|더 나아가|마지막으로|먼저|우선|첫째|둘째|셋째|넷째|다음으로|그런 다음|이어서|추가로|추가적으로|뿐만|이후|한편|예를 들어|"
        r"즉|더욱|이와 함께|이 외에도|그 외|특히|구체적으로|\(?\d+[.)]|\([a-z]\)|[ivx]+\))|도 (?:함께 )?(?:제안|소개|제시|도입|공개|제공)",
    ),
    _sign(
        -3,
        r"^(?:이는|이를(?! [가-힣 ]{0,12}위해)|이로|이와|이에|이러한|이런|이것|이들|이처럼|이때|이렇게|해당|그(?=[ 는를])|그들|그 결과|여기서|여기에|위 |따라서|그래서|또|이 |두 |세 )"
        r"(?!(?:새로운 )?(?:논문|연구|보고서|기술 보고서|서베이|작업|백서|글|조사))",
    ),
    _sign(-1, r"^이를 [가-힣 ]{0,12}위해"),
    _sign(
        -2,
        r"(?:이|그|해당|이러한|이런) (?:아이디어|방법|접근|문제|한계|원리|관점|변형|결과|가설|가정|통념|상황|현상|실패)(?:을|를|에|의|은|는|이|가)|(?:이|이러한) (?:두|세) ",
    ),
    _sign(-3, r"(?:이|이러한|해당) (?:질문|문제|주제)(?:을|를) "),
    _sign(
        -4,
        r"주목할 만한 (?:결과|발견)|인사이트를 (?:제공|제시)|통찰을 (?:제공|제시)|다양한 실험을|효과(?:성|적임)?(?:을|를|이|임을)? (?:입증|확인|보)",
    ),
    # It offers the code, hopes, or announces a list.
    _sign(
        -6,
        r"(?:코드|체크포인트|가중치|데이터(?: ?세트|셋)?|모델|저장소|자료|구현)(?:와|과|는|은|를|을|도| 및|,)[^.]{0,60}"
        r"(?:공개|배포|확인하|확인할|제공|볼 수|오픈\s?소스|이용|내려받)|저장소|[Gg]it[Hh]ub|깃허브",
    ),
    _sign(
        -5,
        r"기대|바랍|바란|기여(?:하고자|할|합니다|한다)|향후|앞으로|시사점|촉진|가능성을 (?:열|보|제시)|길을 (?:열|제시)|토대|기반을 마련|발판|자리매김",
    ),
    _sign(-4, r"다음과 같|아래와 같|알아보|소개해 드"),
)

# --- English: the verb follows its subject ------------------------------------------

_WE = r"\b[Ww]e(?:,? \w+){0,3}? "
_PAPER = (
    r"\b[Tt]his (?:new |recent |technical |position |survey |comprehensive )*"
    r"(?:paper|work|study|survey|report|article|review|thesis|tutorial|note|perspective|position)(?: (?!that)\w+ly)? "
)
_PROPOSE_EN = r"(?:introduc(?:e|es|ed)|propos(?:e|es|ed)|present(?:s|ed)?|unveils?|puts? forward)\b"
_ANNOUNCE_EN = r"(?:introduc(?:e|es|ed)|propos(?:e|es|ed)|releas(?:e|es|ed)|announc(?:e|es|ed)|unveil(?:s|ed)?|launch(?:es|ed)?|develop(?:s|ed)?)"
_MAKE_EN = (
    r"(?:develop|design|describe|build|built|create|construct|release|formulate|formali[sz]e|establish|contribute|devise|curate|collect|"
    r"provide|offer|publish|open-source|define|derive|train|assemble|outline|advocate|announce)(?:e?d|e?s)?\b"
)
_FIND_EN = (
    r"(?:show|find|found|demonstrate|prove|observe|reveal|discover|identif|argue|uncover|confirm|conclude|report|showcase|verif|validate|"
    r"hypothesi[sz]e|trace|attribute|explain|clarif|recommend)(?:y|ies|ied|e?d|e?s)?\b"
)
_EXAMINE_EN = (
    r"(?:stud(?:y|ies|ied)|investigat|analy[sz]|examin|explor|survey|review|revisit|benchmark|characteri[sz]|systemati[sz]|categori[sz]|organi[sz]|"
    r"ask|quantif|rethink)(?:y|ies|ied|e|ed|es|s)?\b"
)
_TRY_EN = (
    r"(?:evaluat|address|tackl|compar|test|measur|assess|prob|conduct|perform|extend|replicat|adapt|focus|cover|summari[sz]|look|discuss|"
    r"synthesi[sz]|map|take|contend)(?:y|ies|ied|e|ed|es|s)?\b"
)
_ACTOR = r"(?:Researchers|Scientists|The authors|Authors|The team|A team|They|[A-Z][\w.&'’-]*(?: [A-Z][\w.&'’-]*){0,3})"

_ENGLISH = (
    # It proposes.
    _says(9, rf"{_WE}{_PROPOSE_EN}|{_PAPER}{_PROPOSE_EN}|^(?:Introduces|Proposes|Presents)\b", owns=True),
    _says(9, rf"^(?:The )?{NAME}(?: ?\([^()]*\))? {_PROPOSE_EN}"),
    _says(8, rf"^{_ACTOR}(?: (?:at|from)[^.;:]{{2,80}}?)? {_ANNOUNCE_EN} "),
    _says(7, rf"{_PAPER}(?:{_MAKE_EN}|{_FIND_EN}|{_EXAMINE_EN}|{_TRY_EN})", owns=True),
    _says(
        6,
        rf"{_WE}{_MAKE_EN}|^(?:Develops|Designs|Builds|Creates|Releases|Describes|Integrates|Combines)\b",
        owns=True,
    ),
    _says(8, rf"{_WE}.{{0,120}}\bby (?:introducing|proposing|presenting)\b", owns=True),
    _says(6, r"\b(?:is|are) (?:proposed|introduced|presented)\b"),
    _says(5, rf"{_PAPER}[a-z]+s\b", owns=True),
    # It defines what the paper brings.
    _says(7, rf"^(?:The )?{NAME}(?: ?\([^()]*\))?,? (?:is|are) (?:a|an|the|our|designed|built|based)\b"),
    # It finds.
    _says(7, rf"{_WE}{_FIND_EN}|^(?:Shows|Finds|Demonstrates|Proves|Reveals)\b", owns=True),
    _says(
        6,
        r"\b(?:[Rr]esults?|[Ee]xperiments?|[Ee]valuations?|[Ff]indings?|[Aa]nalys[ie]s|[Aa]blations?|[Ss]tudies|[Ee]vidence|[Tt]ests?|[Cc]omparisons?)\b"
        r"[^.;]{0,90}?\b(?:show|demonstrate|reveal|indicate|suggest|confirm|find|prove)s?\b",
        owns=True,
    ),
    # It examines.
    _says(
        6,
        rf"{_WE}{_EXAMINE_EN}|^(?:Studies|Analy[sz]es|Investigates|Explores|Examines|Surveys|Reviews)\b",
        owns=True,
    ),
    _says(4, rf"{_WE}{_TRY_EN}|^(?:Tests|Evaluates)\b|^We [a-z]+\b", owns=True),
    # It says what the paper's thing does, or measures it.
    _says(5, rf"^(?:The )?{NAME}(?: ?\([^()]*\))?(?: \w+ly)? (?!has|was|is\b|are\b|does\b)[a-z]+s\b"),
    _says(
        3,
        r"\b(?:achiev|attain|outperform|surpass|exceed|improv|reduc|boost|match|beat|reach|scor|yield|deliver|accelerat|doubl|halv|lower|rais|"
        r"increas|gain|sav|enabl|retain|rival|generali[sz]|captur)(?:e|es|s|ed|ing)?\b|\b(?:cuts?|rises?|drops?|falls?|fell|rose|speeds? up|faster|wins?)\b",
    ),
    # It is about this paper.
    _sign(4, NAME, owns=True),
    _sign(1, rf"^(?:Our |The |The proposed )?{NAME}"),
    _sign(1, r"\b(?:[Ww]e|[Oo]ur)\b", owns=True),
    _sign(
        1,
        r"\b[Ii]n this (?:paper|work|study|survey|report|article|review|position paper|technical report)\b|^Here,",
        owns=True,
    ),
    _sign(
        1,
        r"\d\s?(?:%|x\b|×|times|points?|percent|fold)|\b\d[\d,.]*(?:[kKMBT]\b|[kKMBT]-|"
        r"(?= (?:[a-z-]+ )?(?:tasks|papers|problems|examples|models|languages|hours|tokens|parameters|samples|billion|million)))",
        owns=True,
    ),
    _sign(1, r"\b(?:novel|new|first)\b"),
    # It is about the world before.
    _sign(
        -5,
        r"^(?:Recent|Recently|However|But|Yet|Despite|Existing|Current|Currently|Traditional|Conventional|Prior|Previous|Many|Most|Today|While|Although|Though|"
        r"Large|Modern|Several|Nevertheless|Unfortunately|Typically|Often|Such|Since|Because|Large-scale|In recent|As)\b(?!.*\b[Ww]e )",
    ),
    _sign(
        -4,
        r"\b(?:remain(?:s|ed)?|suffers? from|struggles?|is (?:still )?limited|are (?:still )?limited|falls? short|lacks?|poses?|ha(?:s|ve) (?:shown|emerged|become|been|"
        r"made|achieved|attracted|demonstrated|led|exhibited|advanced)|are prone to|challenging|bottleneck|is crucial|is essential|is difficult|under-?explored|"
        r"poorly understood|unclear|argued)\b",
    ),
    # It is one point among others, hangs on the sentence before, or says little.
    _sign(
        -3,
        r"^(?:Also|Furthermore|Additionally|Moreover|Finally|Lastly|Second|Third|Fourth|Secondly|Thirdly|Then|Next|In addition|Beyond|Besides|First|Firstly|Later|"
        r"Subsequently|Afterwards|Overall|Importantly|Interestingly|Notably|Specifically|Concretely|In particular|More|For (?:example|instance)|By contrast|In contrast|"
        r"Instead|Meanwhile|Conversely|Even|As a first|During|Based on|\(?\d+[.)]|\([a-z]\)|[ivx]+\))|\b[Ww]e (?:\w+ )?(?:also|further|additionally|then|first|next|finally)\b|"
        r"\bit also\b",
    ),
    _sign(
        -3,
        r"^(?:It|They|This|These|Those|Its|Their|That|Such|The (?:model|method|approach|framework|system|resulting|latter|former|core|key|main|authors|results?|team))\b"
        r"(?! (?:new |recent |technical |position |survey |comprehensive )*(?:paper|work|study|survey|report|article|review|thesis|tutorial|note|perspective|position)\b)",
    ),
    _sign(
        -2,
        r"\bthat (?:it|they|this|these|such)\b|\b(?:of|for|to|on) (?:this|these)(?: idea| approach)?\b(?! (?:paper|work|end))|"
        r"\b(?:[Tt]his|[Tt]hese|[Ss]uch) (?:\w+ )?(?:gaps?|issues?|problems?|limit|limitations?|notion|questions?|idea|goal|phenomen\w+|directions?|view|technique|situations?|settings?)\b|\b[Bb]oth (?:problems|issues|limitations|challenges)\b",
    ),
    _sign(
        -1,
        r"^(?:To this end|To (?:address|solve|overcome|tackle|mitigate|bridge|fill|remedy|resolve|close) (?:this|these|the)|Thus|Hence|Therefore|Consequently|"
        r"Motivated by this|From this)\b",
    ),
    _sign(
        -4,
        r"\b(?:(?:noteworthy|key|several|important) (?:findings|insights)|extensive experiments (?:and|to)|effectiveness of (?:our|the)|conduct (?:\w+ ){0,2}experiments|"
        r"as follows|the following|call for)\b",
    ),
    # It offers the code, or hopes.
    _sign(
        -6,
        r"\b(?:[Cc]odes?|[Cc]heckpoints?|[Ww]eights|[Dd]ata(?:sets?)?|[Mm]odels?|[Pp]roject page|[Dd]emos?|[Tt]ools?|[Rr]epository|[Ii]mplementation)\b[^.]{0,60}\b"
        r"(?:available|released|open-?sourced|(?:made|is|are) public)\b|[Gg]it[Hh]ub|\b(?:release|open-?source|provide|share) (?:\w+ ){0,3}(?:code|data|checkpoints|weights|repository)\b",
    ),
    _sign(
        -5,
        r"\b(?:hope|believe|pav(?:es?|ing) the way|sets? the stage|implications?|future (?:work|research|directions)|underscores?|lays? the (?:ground|foundation)|"
        r"opens? (?:up )?(?:new|the door|opportunit|a path|avenues)|facilitat\w+ (?:future|further|research)|valuable|insights? (?:into|for))",
    ),
    _sign(-3, r"\?"),
)


def points_of(sentence: str, language: TextLanguage) -> int | None:
    """The points of a sentence with NAME for the paper's names: of its best verb and of all else. None if it is no gist."""
    signs = _KOREAN if language == TextLanguage.KO else _ENGLISH
    says = [sign for sign in signs if sign.says and re.search(sign.pattern, sentence)]
    if not says:
        return None
    others = [sign for sign in signs if not sign.says and re.search(sign.pattern, sentence)]
    points = max(sign.points for sign in says) + sum(sign.points for sign in others)
    return points if points >= MIN_POINTS and any(sign.owns for sign in (*says, *others)) else None
