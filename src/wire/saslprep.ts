/** What RFC 3454 says of a code point: not assigned in Unicode 3.2 or forbidden (A.1, C), its direction (D). */
const FORBIDDEN = 1
const RIGHT_TO_LEFT = 2
const LEFT_TO_RIGHT = 3

/** Those of RUNS, to the base of 24: the last one of a number is one of the first half. */
const DIGITS = 'mu0nerotad.f#il:c;phyw){_s(=,&}!?b|gv[]SRAE1T>kI'

/** Runs of code points of a kind: three times the length, and how far the kind is from the one before. */
const RUNS =
  ',m,r=ap=a#,nsarsor#r:({n={ns[re(t=ightseo{spasp;snr(e?0osy(m(0#a#e.r:arnfeee(ie&ie,hnsnR.#na' +
  '?;e,htth(u,e,ht)e,)eenp(rn({nfeeeteesd=d;:({rspnfnr=o;sds.sos;.evc)n{t)osacrspane=.f=f}:,ps.' +
  'esA{are}ctrlsmlnoe#dstos;(uraesuttt(he)ee.itrn.#otttnsneite.oosio{)rohitt(he)etetettrn.o#aof' +
  'sdiee)stofsiare)eee.e(he)etectrl:naretnoes)ecst(eraesuttt(he)ettitranrddtttnsmrrite.is.(erre' +
  'h..ei.teeet.t...sue.itna..e.nsnes)sish.esue.e()esteciflefnlwasntist(ttesue.e()estecien;eraet' +
  'owt)eetist(ttesue.e()e(ui.do.e.nsnesutist(tte(t.=ueseeet).r#.dnrnsu(t.si}unaw#r{sms;,cteette' +
  'etehie)e.eeeetteinapnartceeeyosttt,t=uo=fnrnr:sae,thsyr:rolis0n,lnsunyte}u,tecetee#rndarnp=u' +
  'o?p,hst&eteigtc?ic|th)e!)eeeit)eeeit,)eeeit=)eeeit)eeeit)e)e()e=)eeeit)e,)e(.h=i,.|csi=}hser' +
  '=aod|es)sceidsd(tdase(tos#sce.eas#})ws0nasd{nr.st(hsyosthgusu&en!(p1iigth(htht,hthtsueeeeeee' +
  '=)t}ce)nrdfe)dlthefs;do.e)onsl#=0w,l#rwr(mrrtsfrsw(n(a=p=f(:ar#rosanrd;prnrnrnlnfn{no.:;ows;' +
  ',lsi(,y?;=or!n}n,{=nsf(:!lby(:ns|loanv;osa]wlnlo=ln,fnrnldrn{o}ld=0nsy(n=l#,(0,Rm=angrs#s(y&' +
  'o;f=nsrw;o;dn|htlfnganlc&uighe&u!u&c.,iscs{=l.}tswsli&)e])iv.t=)es|}hbt,vThgt}sc.}{bSn(|,isT' +
  'gis[ht!.Ec)siccnestescr:rnroror[#,rs>dt(m?ma}p&0s:f(0(mls#({osan(fnl#:rRwl,0=ap=asdgr.hththt' +
  '..{n{,(n=)eisi=.kc,ht,hg!]ts}hst,).!cdsrsus0aw=y#}0(Tt|ce?)ettetttiesieeeiete?eeitsue)e=ieie' +
  'cee.)esEtisvti}a(&?mb}|),v&e(1h?!|vt'

/** What becomes a space, and what goes. */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g

/**
 * A password as Postgres prepares it before it makes a secret of it: SASLprep with the tables of Unicode
 * 3.2, and as it is where that forbids it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4013
 * @see https://www.postgresql.org/docs/current/sasl-authentication.html
 */
export function prepare(password: string): string {
  if (!/[^\0-\x7f]/.test(password)) return password
  const mapped = password.replace(SPACES, ' ').replace(NOTHING, '')
  const kinds = Array.from(mapped, kindOf)
  const isMixed =
    kinds.includes(LEFT_TO_RIGHT) || kinds[0] !== RIGHT_TO_LEFT || kinds.at(-1) !== RIGHT_TO_LEFT
  const isForbidden =
    mapped === '' || kinds.includes(FORBIDDEN) || (isMixed && kinds.includes(RIGHT_TO_LEFT))
  return isForbidden ? password : mapped.normalize('NFKC')
}

/** Made once: it is needed for passwords beyond ASCII only. */
let runs: { end: number; kind: number }[] | undefined

function readRuns(): { end: number; kind: number }[] {
  const all: { end: number; kind: number }[] = []
  let [end, kind, sum] = [0, 0, 0]
  for (const character of RUNS) {
    const digit = DIGITS.indexOf(character)
    sum = sum * 24 + (digit % 24)
    if (digit >= 24) continue
    kind = (kind + (sum % 3) + 1) % 4
    end += Math.floor(sum / 3)
    all.push({ end, kind })
    sum = 0
  }
  return all
}

function kindOf(character: string): number {
  runs ??= readRuns()
  const code = character.codePointAt(0) ?? 0
  return runs.find(({ end }) => code < end)?.kind ?? 0
}
